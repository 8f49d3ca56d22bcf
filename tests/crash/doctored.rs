//! Shows that each rule can fail: a state that meets all rules, and changes that violate each of them.

use crate::check::RULES;
use crate::plan::{Claim, Kind, NAMESPACES, NFS_VERSIONS};
use crate::state::{
    Entry, FINALIZER, History, Made, PROTECTION, Project, Recorded, SIZE_KIB, State, Stored, Volume, WHO,
};

/// A change that breaks a rule.
type Change = fn(&mut State, &mut History);

/// Each rule, by a part of its name, with changes that violate it. A change may violate other rules too.
const VIOLATIONS: &[(&str, &[Change])] = &[
    (
        "one PV at most",
        &[
            |state, _| {
                state.volumes.push(Volume {
                    name: "pvc-other".into(),
                    ..state.volumes[0].clone()
                })
            },
            |state, _| state.claims[0].volume = "pvc-other".into(),
            |state, _| _ = state.volumes.remove(0),
        ],
    ),
    (
        "no two PVs share a directory",
        &[
            |state, _| state.volumes[0].path = state.volumes[1].path.clone(),
            |state, _| state.volumes[0].path = format!("{}/below", state.volumes[1].path),
        ],
    ),
    (
        "the directory of a volume in use exists",
        &[
            |state, _| _ = state.export.remove(&path(Kind::Plain, true)),
            |state, _| entry(state, &path(Kind::Owned, true)).attributes = "0:0 2750".into(),
            |state, _| entry(state, &path(Kind::Plain, true)).attributes = "0:0 755".into(),
            |state, _| entry(state, &path(Kind::Plain, true)).kind = "l".into(),
        ],
    ),
    (
        "data of a volume in use",
        &[
            |state, _| _ = state.export.remove(&format!("{}/{WHO}", path(Kind::Plain, true))),
            |state, _| entry(state, &format!("{}/{WHO}", path(Kind::Nested, true))).target = "u-other".into(),
        ],
    ),
    (
        "one directory or one archive",
        &[|state, _| _ = state.export.insert(path(Kind::Plain, false), directory("0:0 777"))],
    ),
    (
        "archived, retained, or unused",
        &[
            |state, _| _ = state.export.insert("stranger".into(), directory("0:0 777")),
            |state, _| _ = state.export.insert("crash-a/stranger".into(), directory("0:0 777")),
            // A file is in it.
            |state, _| fill(state, &path(Kind::Removed, false), &uid(Kind::Removed, false)),
            // No marker names its claim.
            |state, _| _ = state.export.insert(path(Kind::Nested, false), directory("0:0 777")),
            |state, _| {
                _ = state.export.insert(path(Kind::Nested, false), directory("0:0 777"));
                let other = target(Kind::Nested, true);
                _ = state.export.insert(marker(Kind::Nested, false), link(&other));
            },
        ],
    ),
    (
        "outside the export has changed",
        &[|state, _| state.outside.push_str("another file")],
    ),
    (
        "live claim is Bound",
        &[
            |state, _| state.claims[0].phase = "Pending".into(),
            |state, _| state.claims[0].is_terminating = true,
            |state, _| _ = state.claims.remove(0),
            |state, _| state.claims.iter_mut().for_each(|claim| claim.phase = "Bound".into()),
            |state, _| {
                state.claims.push(Stored {
                    uid: uid(Kind::Plain, false),
                    ..Stored::default()
                })
            },
        ],
    ),
    (
        "without a live claim",
        &[
            |state, _| state.volumes[0].phase = "Available".into(),
            |state, history| {
                // A Released PV whose policy is Delete.
                let claim = uid(Kind::Removed, false);
                history.provisioned.insert(claim.clone());
                state.volumes.push(Volume {
                    phase: "Released".into(),
                    ..volume(Kind::Removed, false)
                });
            },
        ],
    ),
    (
        "no finalizer is left",
        &[
            |state, _| state.volumes[0].is_terminating = true,
            |state, _| state.volumes[0].finalizers.truncate(1),
            |state, _| state.volumes[0].finalizers.clear(),
            |state, _| {
                state
                    .volumes
                    .iter_mut()
                    .for_each(|volume| volume.finalizers.push(FINALIZER.into()))
            },
        ],
    ),
    (
        "deleted data",
        &[
            |state, _| _ = state.export.remove(&archive(Kind::Plain)),
            |state, _| _ = state.export.remove(&format!("{}/{WHO}", archive(Kind::Pattern))),
            |state, _| _ = state.export.remove(&path(Kind::Left, false)),
            |state, _| fill(state, &path(Kind::Removed, false), &uid(Kind::Removed, false)),
            |state, _| fill(state, &path(Kind::Nested, false), &uid(Kind::Nested, false)),
        ],
    ),
    (
        "or was never a PV's",
        &[
            |state, _| _ = state.export.insert("stranger".into(), directory("0:0 777")),
            // Its claim had a PV.
            |state, _| _ = state.export.insert(path(Kind::Removed, false), directory("0:0 777")),
            // An archive of a claim that never had a volume.
            |_, history| _ = history.provisioned.remove(&uid(Kind::Plain, false)),
            |_, history| _ = history.provisioned.remove(&uid(Kind::Left, false)),
        ],
    ),
    (
        "every marker",
        &[
            |state, _| entry(state, &marker(Kind::Pattern, true)).target = target(Kind::Nested, true),
            // The provisioner reads the first format of the target, but no longer writes it.
            |state, _| entry(state, &marker(Kind::Pattern, true)).target = uid(Kind::Pattern, true),
            |state, _| _ = state.export.remove(&marker(Kind::Pattern, true)),
            // Its claim had a PV.
            |state, _| {
                _ = state
                    .export
                    .insert(marker(Kind::Pattern, false), link(&target(Kind::Pattern, false)))
            },
            |state, _| {
                _ = state
                    .export
                    .insert(".nfsprov/owners/crash-a/empty".into(), directory("0:0 700"))
            },
        ],
    ),
    (
        "every record is complete",
        &[|state, _| record(state, Kind::Plain, true).fault = Some("the text is cut off".into())],
    ),
    (
        "has its record",
        &[
            |state, _| _ = state.records.remove(&format!("pvc-{}", uid(Kind::Plain, true))),
            |state, _| record(state, Kind::Nested, true).claim = None,
            |state, _| record(state, Kind::Pattern, true).claim = Some((NAMESPACES[0].into(), "other".into())),
            // Its claim is deleted.
            |state, _| {
                let claim = claim(Kind::Kept, "deleted");
                record(state, Kind::Kept, false).claim = Some((claim.namespace.into(), claim.name));
            },
        ],
    ),
    (
        "every other record",
        &[
            |state, _| _ = record(state, Kind::Removed, false),
            |state, _| _ = record(state, Kind::Nested, false),
            |state, _| _ = state.records.insert("pvc-stranger".into(), Recorded::default()),
        ],
    ),
    (
        "is limited to its size",
        &[
            |state, _| state.project_ids.clear(),
            |state, _| state.projects.clear(),
            |state, _| state.projects.values_mut().for_each(|project| project.limit_kib -= 4),
        ],
    ),
    ("lists every limit", &[|state, _| _ = state.projects.insert(8, UNUSED)]),
    (
        "every limit has files",
        &[|state, _| {
            state.projects.insert(8, UNUSED);
            state.orphaned.insert(8);
        }],
    ),
    (
        "the trash",
        &[|state, _| {
            let path = format!(".nfsprov/trash/pvc-{}", uid(Kind::Removed, false));
            state.export.insert(path, directory("0:0 777"));
        }],
    ),
    (
        "pv-protection",
        &[|state, _| _ = state.unprotected.insert("pvc-u".into())],
    ),
];

/// The limit that an attempt leaves if it is interrupted before it sets the directory's project id.
const UNUSED: Project = Project {
    limit_kib: SIZE_KIB,
    files: 0,
};

/// Checks that a valid state meets every rule, and that each change violates its rule.
pub fn test() -> Result<(), String> {
    let (state, history) = valid_state();
    for (name, _, rule) in RULES {
        let broken = rule(&state, &history);
        if !broken.is_empty() {
            return Err(format!("{name}: {broken:?} in the valid state"));
        }
    }
    for (name, _, rule) in RULES {
        let matching: Vec<_> = VIOLATIONS.iter().filter(|(part, _)| name.contains(part)).collect();
        let [(_, changes)] = matching[..] else {
            return Err(format!("{name} has {} entries in VIOLATIONS", matching.len()));
        };
        for (number, change) in changes.iter().enumerate() {
            let (mut state, mut history) = valid_state();
            change(&mut state, &mut history);
            if rule(&state, &history).is_empty() {
                return Err(format!("{name}: the rule misses change number {number}"));
            }
        }
    }
    test_interrupted_claims()
}

/// Checks what a kill between the creation of directory and PV leaves of a claim that is then deleted.
fn test_interrupted_claims() -> Result<(), String> {
    let (mut state, mut history) = valid_state();
    for kind in [Kind::Removed, Kind::Nested] {
        let uid = format!("u-{}-new", kind.name());
        let made = Made {
            claim: claim(kind, "new"),
            deleted: true,
        };
        let path = made.directory(&uid);
        state.export.insert(path.clone(), directory("0:0 777"));
        if kind.has_marker() {
            let marker = format!(".nfsprov/owners/{path}/@owner");
            let target = format!("k/{}/{}/{uid}", made.claim.namespace, made.claim.name);
            state.export.insert(marker, link(&target));
            let claim = Claim {
                name: format!("{}-2", made.claim.name),
                ..made.claim.clone()
            };
            // This claim's marker does not exist yet.
            history.made.insert(format!("{uid}-2"), Made { claim, deleted: true });
            state
                .export
                .insert(format!(".nfsprov/owners/{path}-2"), directory("0:0 700"));
        }
        history.made.insert(uid, made);
    }
    for (name, _, rule) in RULES {
        let broken = rule(&state, &history);
        if !broken.is_empty() {
            return Err(format!("{name}: {broken:?} though only an empty directory is left"));
        }
    }
    Ok(())
}

fn claim(kind: Kind, name: &str) -> Claim {
    Claim {
        namespace: NAMESPACES[0],
        name: format!("{}-{name}", kind.name()),
        kind,
        nfs_version: NFS_VERSIONS[0],
    }
}

fn uid(kind: Kind, live: bool) -> String {
    format!("u-{}-{}", kind.name(), if live { "live" } else { "deleted" })
}

fn made(kind: Kind, live: bool) -> Made {
    Made {
        claim: claim(kind, if live { "live" } else { "deleted" }),
        deleted: !live,
    }
}

fn path(kind: Kind, live: bool) -> String {
    made(kind, live).directory(&uid(kind, live))
}

fn archive(kind: Kind) -> String {
    made(kind, false).archive(&uid(kind, false))
}

fn marker(kind: Kind, live: bool) -> String {
    format!(".nfsprov/owners/{}/@owner", path(kind, live))
}

/// The target of a claim's owner marker.
fn target(kind: Kind, live: bool) -> String {
    let claim = made(kind, live).claim;
    format!("k/{}/{}/{}", claim.namespace, claim.name, uid(kind, live))
}

fn directory(attributes: &str) -> Entry {
    Entry {
        kind: "d".into(),
        attributes: attributes.into(),
        target: String::new(),
    }
}

fn link(target: &str) -> Entry {
    Entry {
        kind: "l".into(),
        attributes: "0:0 777".into(),
        target: target.into(),
    }
}

fn entry<'a>(state: &'a mut State, path: &str) -> &'a mut Entry {
    state.export.entry(path.to_owned()).or_default()
}

fn fill(state: &mut State, place: &str, uid: &str) {
    state.export.insert(place.to_owned(), directory("0:0 777"));
    state.export.insert(format!("{place}/{WHO}"), link(uid));
}

fn record(state: &mut State, kind: Kind, live: bool) -> &mut Recorded {
    state.records.entry(format!("pvc-{}", uid(kind, live))).or_default()
}

fn volume(kind: Kind, live: bool) -> Volume {
    let mut finalizers = vec![PROTECTION.to_owned()];
    if kind.policy() == "Delete" {
        finalizers.push(FINALIZER.to_owned());
    }
    Volume {
        name: format!("pvc-{}", uid(kind, live)),
        claim: uid(kind, live),
        path: path(kind, live),
        phase: "Bound".into(),
        policy: kind.policy().into(),
        finalizers,
        is_terminating: false,
    }
}

/// A valid state: one live and one deleted claim of each kind.
fn valid_state() -> (State, History) {
    let (mut state, mut history) = (State::default(), History::default());
    for kind in Kind::ALL {
        for live in [true, false] {
            let uid = uid(kind, live);
            history.made.insert(uid.clone(), made(kind, live));
            if live {
                let (phase, name) = match kind {
                    Kind::Hostile => ("Pending", String::new()),
                    _ => ("Bound", format!("pvc-{uid}")),
                };
                state.claims.push(Stored {
                    uid: uid.clone(),
                    phase: phase.into(),
                    volume: name,
                    is_terminating: false,
                });
            }
            if kind == Kind::Hostile {
                continue;
            }
            history.provisioned.insert(uid.clone());
            history.filled.insert(uid.clone());
            if live {
                state.volumes.push(volume(kind, true));
                let claim = made(kind, true).claim;
                record(&mut state, kind, true).claim = Some((claim.namespace.to_owned(), claim.name));
                fill(&mut state, &path(kind, true), &uid);
                entry(&mut state, &path(kind, true)).attributes = kind.attributes().into();
            }
        }
        if kind.has_marker() {
            let marker = marker(kind, true);
            let mut above = marker.as_str();
            while let Some((parent, _)) = above.rsplit_once('/') {
                state.export.insert(parent.to_owned(), directory("0:0 700"));
                above = parent;
            }
            state.export.insert(marker, link(&target(kind, true)));
        }
    }
    for kind in [Kind::Plain, Kind::Pattern] {
        fill(&mut state, &archive(kind), &uid(kind, false));
    }
    for kind in [Kind::Left, Kind::Kept] {
        fill(&mut state, &path(kind, false), &uid(kind, false));
    }
    let kept = Volume {
        phase: "Released".into(),
        ..volume(Kind::Kept, false)
    };
    state.volumes.push(kept);
    for kind in [Kind::Plain, Kind::Pattern, Kind::Left, Kind::Kept] {
        record(&mut state, kind, false);
    }
    state.project_ids.insert(path(Kind::Limited, true), 7);
    let project = Project { files: 1, ..UNUSED };
    state.projects.insert(7, project);
    state.unprotected.insert("pvc-gone".into());
    state.released.insert("pvc-gone".into());
    (state, history)
}
