//! Random histories: whatever people and clients do, the drive stays in one piece.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::content::Content;
use super::item::{Kind, Place, Totals};
use super::replace::NewFile;
use super::view::Listed;
use super::{Actor, Ix, Model, ROOT, names};
use crate::fault::mix;
use crate::switches::{EtagUp, NameTaken, Names, Putback, Switches};

/// Draws numbers from a seed.
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = mix(self.0);
        (self.0 % limit.max(1) as u64) as usize
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

/// One change of a random item; most of them are refused, which must leave everything as it was.
fn act(model: &mut Model, draws: &mut Draws) {
    let count = model.all().count();
    let (item, other) = (draws.below(count) as Ix, draws.below(count) as Ix);
    let name = draws.of(&["a", "b.txt", "B.txt", "\u{fc}", "u\u{308}", "a 2", "", "x/y"]);
    let actor = draws.of(&[Actor::Person, Actor::Client]);
    let content = Content::from(draws.of(&["", "1", "22", "333"]));
    let _ = match draws.below(10) {
        0 | 1 => model.create_folder(item, name),
        2 | 3 => {
            let doc = model.new_doc();
            let file =
                NewFile { name: name.to_owned(), content, mtime_ms: 0, btime_ms: 0, executable: false };
            model.add_file(item, doc, file, draws.below(2) == 0, actor)
        }
        4 => model.rename(item, None, name),
        5 => model.move_to(item, None, other),
        6 => model.trash_item(item, Some(&model.etag(item))),
        7 => model.delete_item(item, None, actor),
        8 => model.put_back(item),
        _ => model.replace(item, content, 0, actor).map(|_| item),
    };
}

/// Checks what must be true at every moment.
fn check(model: &Model) {
    let mut etags = BTreeSet::new();
    for ix in model.all() {
        let item = model.item(ix);
        if let Place::In(parent) = item.place {
            assert!(
                model.children(parent).any(|child| child == ix),
                "{ix} is not among its parent's children"
            );
        }
        assert_eq!(
            item.place == Place::Trash,
            model.trash().contains_key(&ix),
            "{ix} and the trash disagree"
        );
        assert!(etags.insert((item.id.zone, item.meta_rev)), "two items have one change number");
        if !model.is_live(ix) {
            continue;
        }
        assert_eq!(model.find_drivewsid(&model.drivewsid(ix)), Some(ix), "{ix} is not found by its id");
        assert_eq!(model.view(ix).drivewsid, model.drivewsid(ix));
        if item.folder.is_some() {
            let below = model.below(ix);
            // A library's numbers stay out of the numbers above it.
            let counted = below.iter().filter(|below| {
                let above = model.ancestors(**below);
                let inside = above.iter().take_while(|above| **above != ix);
                inside.chain([*below]).all(|at| !matches!(model.item(*at).kind, Kind::Library { .. }))
            });
            let files = counted.filter(|below| model.item(**below).folder.is_none());
            let totals = files.fold(Totals::default(), |totals, file| Totals {
                files: totals.files + 1,
                bytes: totals.bytes + model.size(*file),
            });
            assert_eq!(model.totals_of(ix), totals, "totals of {ix}");
            let mut seen: Vec<&str> = Vec::new();
            for child in model.children(ix) {
                let name = &*model.item(child).name;
                assert_eq!(model.item(child).place, Place::In(ix));
                assert!(
                    !seen.iter().any(|other| names::same(model.switches().names, other, name)),
                    "{name} twice"
                );
                seen.push(name);
            }
        }
    }
}

#[test]
fn random_histories_leave_the_drive_in_one_piece() {
    for seed in 0..60 {
        let mut draws = Draws(seed);
        let switches = Arc::new(Switches {
            names: draws.of(Names::ALL),
            name_taken: draws.of(NameTaken::ALL),
            putback: draws.of(Putback::ALL),
            etag_up: draws.of(EtagUp::ALL),
            visible: Duration::from_secs(draws.below(2) as u64),
            ..Switches::default()
        });
        let mut model = Model::new(seed, 0);
        model.tick(0, Arc::clone(&switches));
        model.add_library("com.apple.Pages", "Pages", false);
        for step in 0..80 {
            act(&mut model, &mut draws);
            // Now and then a month passes, and the trash gives up what it has.
            let now_ms = model.now_ms() + if draws.below(40) == 0 { 31 * 24 * 3_600_000 } else { 500 };
            model.tick(now_ms, Arc::clone(&switches));
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&model)));
            assert!(result.is_ok(), "seed {seed}, step {step}");
        }
        // Every older state of a listing is forgotten once its time is over.
        model.tick(model.now_ms() + 10_000, switches);
        assert_eq!(model.listing(Listed::Trash).len(), model.trash().len());
        assert!(model.ancestors(ROOT).is_empty());
    }
}
