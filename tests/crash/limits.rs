//! Rules about the size limits of directories (PURE).

use crate::check::in_use;
use crate::plan::Kind;
use crate::state::{History, SIZE_KIB, State, Volume};

/// The volumes in use whose class has `quota: enforce`.
fn limited_volumes(state: &State, history: &History) -> Vec<Volume> {
    let is_limited = |volume: &&Volume| {
        let made = history.made.get(&volume.claim);
        made.is_some_and(|made| made.claim.kind == Kind::Limited) && in_use(volume, state, history)
    };
    state.volumes.iter().filter(is_limited).cloned().collect()
}

pub fn wrong_limits(state: &State, history: &History) -> Vec<String> {
    let mut broken = Vec::new();
    for volume in limited_volumes(state, history) {
        let id = state.project_ids.get(&volume.path);
        let limit_kib = id
            .and_then(|id| state.projects.get(id))
            .map(|project| project.limit_kib);
        if limit_kib != Some(SIZE_KIB) {
            broken.push(format!(
                "{} has the project {id:?} with the limit {limit_kib:?} KiB",
                volume.path
            ));
        }
    }
    broken
}

/// The projects that have a limit but no files.
fn unused_projects(state: &State) -> impl Iterator<Item = &u32> {
    let unused = state
        .projects
        .iter()
        .filter(|(_, project)| project.limit_kib > 0 && project.files == 0);
    unused.map(|(id, _)| id)
}

pub fn unlisted_limits(state: &State, _: &History) -> Vec<String> {
    let unlisted = unused_projects(state).filter(|id| !state.orphaned.contains(id));
    unlisted.map(|id| format!("project {id} is not listed")).collect()
}

/// A provisioner without limited volumes does not read the limits, so it does not clear them either.
pub fn limits_without_files(state: &State, history: &History) -> Vec<String> {
    match limited_volumes(state, history).is_empty() {
        true => Vec::new(),
        false => unused_projects(state)
            .map(|id| format!("project {id} has a limit and no files"))
            .collect(),
    }
}
