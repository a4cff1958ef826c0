//! Stories of both sides, and plans told with all that an executor goes by: what [`super::table`] leaves out.

use super::table::{happen, ignoring};
use super::world::World;
use crate::engine::operation::{
    Action, Conflict, LocalSeen, Operation, Parent, Plan, RemoteSeen, Replacement, UploadTarget,
};
use crate::engine::plan::print::{Line, NoteLine};
use crate::model::{Presence, Side};

/// What a story is called, the synced tree, what happened then on each side, and the lines of the plan.
pub type Story<'a> = (&'a str, &'a str, &'a [(Side, &'a str)], &'a [&'a str]);

/// What a plan says, a line for each operation and note; with what each operation expects and comes after.
pub fn tell_fully(plan: &Plan) -> Vec<String> {
    let squeeze = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let operations = plan.operations.iter().map(|operation| {
        let more = more(operation);
        let line = squeeze(Line::of(operation).to_string());
        if more.is_empty() { line } else { format!("{line} [{}]", more.join(", ")) }
    });
    operations.chain(plan.notes.iter().map(|note| squeeze(NoteLine::of(note).to_string()))).collect()
}

fn more(operation: &Operation) -> Vec<String> {
    let mut more = Vec::new();
    let mut here = |seen: &LocalSeen| {
        let is_plain = seen.stamp.size == 0 || seen.signature.is_some();
        more.push(format!("here {}{}", seen.path, if is_plain { "" } else { " unread" }));
    };
    match &operation.action {
        Action::Agree { local, .. } | Action::Compare { local, .. } | Action::Settle { local, .. } => {
            here(local)
        }
        Action::MoveLocal { local, .. } | Action::MoveRemote { local: Some(local), .. } => here(local),
        Action::Download { over: Some(local), .. } => here(local),
        Action::MakeRemoteFolder { local, .. } | Action::Upload { local, .. } => here(local),
        Action::TrashLocal { local, .. } => here(local),
        _ => {}
    }
    let mut there = |seen: &RemoteSeen| {
        let unread = if seen.signature.is_some() || seen.size.is_none() { "" } else { " unread" };
        let kind = if seen.folder { "/" } else { "" };
        more.push(format!("there {}{kind}{unread}", seen.name));
    };
    match &operation.action {
        Action::Compare { remote, .. } | Action::Settle { remote, .. } => there(remote),
        Action::Agree { remote, .. } => there(remote),
        Action::MakeLocalFolder { remote } | Action::Download { remote, .. } => there(remote),
        Action::MoveLocal { remote: Some(remote), .. } => there(remote),
        Action::MoveRemote { remote, .. } | Action::TrashRemote { remote, .. } => there(remote),
        Action::Upload { target: UploadTarget::Over { remote, .. }, .. } => there(remote),
        _ => {}
    }
    let into = |parent: &Parent| match parent {
        Parent::Known(id) => format!("into {}", id.doc()),
        Parent::Made(index) => format!("into what {index} makes"),
    };
    match &operation.action {
        Action::MakeRemoteFolder { parent, .. } | Action::MoveRemote { parent, .. } => {
            more.push(into(parent))
        }
        Action::Upload { target: UploadTarget::New { parent, .. }, .. } => more.push(into(parent)),
        Action::Upload { target: UploadTarget::Over { way, .. }, .. } => {
            more.push(if *way == Replacement::Trash { "by way of the trash" } else { "in place" }.to_owned());
        }
        Action::Keep { presence, place, .. } => {
            let told = match presence {
                Presence::Both => "as it stands here",
                Presence::LocalOnly => "here only",
                Presence::RemoteOnly => "there only",
            };
            more.push(told.to_owned());
            more.extend(place.iter().map(|(parent, name)| format!("{} as {name}", into(parent))));
        }
        Action::TrashRemote { subtree, absent, .. } => {
            more.extend((!subtree.is_empty()).then(|| format!("with {} below", subtree.len())));
            more.extend(absent.iter().map(|path| format!("nothing at {path}")));
        }
        Action::Compare { otherwise: conflict, .. } | Action::Settle { conflict, .. } => match conflict {
            Conflict::KeepBoth { local_only: true, .. } => more.push("the copy stays here".to_owned()),
            Conflict::KeepBoth { .. } | Conflict::KeepBothThere { .. } => {}
            Conflict::TakeRemote => more.push("take that there".to_owned()),
            Conflict::TakeLocal => more.push("take that here".to_owned()),
            Conflict::SetAside => more.push("set aside".to_owned()),
        },
        _ => {}
    }
    let after: Vec<_> = operation.after.iter().map(usize::to_string).collect();
    more.extend((!after.is_empty()).then(|| format!("after {}", after.join(" and "))));
    more
}

/// Tells all stories, and of all whose plan is another one; each comes to rest.
pub fn tell_all(stories: &[Story<'_>]) {
    let mut wrong = String::new();
    for (name, tree, story, expected) in stories {
        let mut world = World::synced(&tree.split_whitespace().collect::<Vec<_>>());
        ignoring(&mut world);
        for (side, script) in *story {
            happen(&mut world, *side, script);
        }
        let plan = tell_fully(&world.plan());
        if plan != *expected {
            wrong += &format!("{name}\n  {story:?}\n");
            plan.iter().for_each(|line| wrong += &format!("    {line:?},\n"));
        }
        world.settle();
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}
