//! Golden files: texts that are compared as a whole, and rewritten only with `UPDATE_GOLDEN=1`.

use std::fs;
use std::path::Path;

/// Compares `actual` with `tests/it/golden/NAME`.
pub fn assert_golden(name: &str, actual: &str) {
    assert_same(&format!("tests/it/golden/{name}"), actual);
}

/// Compares `actual` with a file of the sources.
pub fn assert_same(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
        fs::write(&path, actual).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let difference = expected.lines().zip(actual.lines()).find(|(expected, actual)| expected != actual);
    assert!(
        expected == actual,
        "{name} differs, first here: {difference:#?}\n--- actual ---\n{actual}\nUPDATE_GOLDEN=1 accepts it"
    );
}
