//! How many files may be open at once: many systems allow few at first and more to who asks.

use rustix::process::{Resource, Rlimit, setrlimit};

/// More than this nobody here needs, also where there is no limit.
const ENOUGH: u64 = 1 << 16;

/// Raises the soft limit of open files to the hard one. Where the system refuses, the soft one stays.
pub fn raise() {
    // The call that asks for limits is one that filters of system calls may refuse; the kernel's own file is not.
    let Ok(limits) = std::fs::read_to_string("/proc/self/limits") else { return };
    if let Some(wanted) = wanted(&limits) {
        let _ = setrlimit(Resource::Nofile, wanted);
    }
}

/// The limit to ask for, from what `/proc/self/limits` says; `None` where nothing is to be raised.
fn wanted(limits: &str) -> Option<Rlimit> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let mut words = line.split_whitespace();
    let (soft, hard) = (words.next()?, words.next()?);
    let maximum = match hard {
        "unlimited" => None,
        number => Some(number.parse::<u64>().ok()?),
    };
    let enough = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    let is_low = soft.parse::<u64>().is_ok_and(|soft| soft < enough);
    is_low.then_some(Rlimit { current: Some(enough), maximum })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_soft_limit_below_the_hard_one_is_raised() {
        let limits = |soft: &str, hard: &str| {
            format!(
                "Limit                     Soft Limit           Hard Limit           Units\n\
                 Max processes             95804                95804                processes\n\
                 Max open files            {soft}                 {hard}               files\n"
            )
        };
        let asked = |soft, hard| wanted(&limits(soft, hard)).map(|limit| (limit.current, limit.maximum));
        assert_eq!(asked("1024", "4096"), Some((Some(4096), Some(4096))));
        assert_eq!(asked("1024", "1048576"), Some((Some(ENOUGH), Some(1_048_576))));
        assert_eq!(asked("1024", "unlimited"), Some((Some(ENOUGH), None)));
        for (soft, hard) in [("4096", "4096"), ("unlimited", "unlimited"), ("1048576", "1048576"), ("x", "y")]
        {
            assert_eq!(asked(soft, hard), None, "{soft} {hard}");
        }
        assert_eq!(wanted("nothing of the kind"), None);
    }
}
