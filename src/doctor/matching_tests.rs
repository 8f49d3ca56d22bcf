use k8s_openapi::jiff::Timestamp;

use super::*;
use crate::doctor::facts::{ClaimRef, Wish};

fn claim() -> Claim {
    Claim {
        namespace: "default".into(),
        name: "mypvc".into(),
        uid: "c1".into(),
        class: Some("nfs".into()),
        wish: Wish {
            bytes: quantity::parse_bytes("5Gi").unwrap(),
            modes: vec!["ReadWriteOnce".into()],
            volume_mode: "Filesystem".into(),
            selector: None,
        },
        ..Claim::default()
    }
}

fn volume(name: &str) -> Volume {
    Volume {
        name: name.into(),
        class: "nfs".into(),
        size: "5Gi".into(),
        capacity: quantity::parse_bytes("5Gi"),
        modes: vec!["ReadWriteOnce".into(), "ReadWriteMany".into()],
        volume_mode: "Filesystem".into(),
        phase: "Available".into(),
        ..Volume::default()
    }
}

fn reference(name: &str, uid: &str) -> Option<ClaimRef> {
    Some(ClaimRef {
        namespace: "default".into(),
        name: name.into(),
        uid: uid.into(),
    })
}

/// A change to a PV or a claim that fit, and the mismatches that it makes.
type Row = (&'static str, fn(&mut Claim, &mut Volume), Vec<Mismatch>);

#[test]
fn each_field_keeps_a_volume_away_by_itself() {
    let rows: [Row; 16] = [
        ("as it is", |_, _| {}, vec![]),
        ("larger", |claim, _| claim.wish.bytes = 1000, vec![]),
        ("smaller", |claim, _| claim.wish.bytes += 1, vec![Mismatch::Size]),
        (
            "another class",
            |_, volume| volume.class = "gold".into(),
            vec![Mismatch::Class],
        ),
        ("no class", |claim, _| claim.class = None, vec![Mismatch::Class]),
        (
            "a mode more",
            |claim, _| claim.wish.modes.push("ReadOnlyMany".into()),
            vec![Mismatch::Modes(vec!["ReadOnlyMany".into()])],
        ),
        (
            "block",
            |claim, _| claim.wish.volume_mode = "Block".into(),
            vec![Mismatch::VolumeMode],
        ),
        (
            "going",
            |_, volume| volume.deleting = Some(Timestamp::UNIX_EPOCH),
            vec![Mismatch::Terminating],
        ),
        (
            "reserved for it by name",
            |_, volume| volume.claim = reference("mypvc", ""),
            vec![],
        ),
        ("its own", |_, volume| volume.claim = reference("mypvc", "c1"), vec![]),
        (
            "an earlier one's",
            |_, volume| volume.claim = reference("mypvc", "c0"),
            vec![Mismatch::OtherUid],
        ),
        (
            "another's",
            |_, volume| volume.claim = reference("other", "x"),
            vec![Mismatch::Claimed],
        ),
        (
            "left by another",
            |_, volume| {
                volume.claim = reference("other", "x");
                volume.phase = "Released".into();
            },
            vec![Mismatch::Released],
        ),
        (
            "failed",
            |_, volume| volume.phase = "Failed".into(),
            vec![Mismatch::Phase],
        ),
        (
            "unlabelled",
            |claim, _| {
                let labels = [("tier".to_owned(), "gold".to_owned())].into();
                claim.wish.selector = Some(LabelSelector {
                    match_labels: Some(labels),
                    match_expressions: None,
                });
            },
            vec![Mismatch::Selector(vec!["tier=gold".into()])],
        ),
        (
            "unlabelled but named",
            |claim, volume| {
                let labels = [("tier".to_owned(), "gold".to_owned())].into();
                claim.wish.selector = Some(LabelSelector {
                    match_labels: Some(labels),
                    match_expressions: None,
                });
                claim.volume = volume.name.clone();
            },
            vec![],
        ),
    ];
    for (what, change, wanted) in rows {
        let (mut claim, mut volume) = (claim(), volume("a"));
        change(&mut claim, &mut volume);
        assert_eq!(find_mismatches(&claim, &volume), wanted, "{what}");
    }
}

#[test]
fn expressions_are_read_as_kubectl_reads_them() {
    let labels: BTreeMap<String, String> = [("tier".to_owned(), "gold".to_owned())].into();
    for (operator, key, values, met) in [
        ("In", "tier", vec!["gold", "silver"], true),
        ("In", "tier", vec!["silver"], false),
        ("NotIn", "tier", vec!["silver"], true),
        ("NotIn", "zone", vec!["a"], true),
        ("NotIn", "tier", vec!["gold"], false),
        ("Exists", "tier", vec![], true),
        ("Exists", "zone", vec![], false),
        ("DoesNotExist", "zone", vec![], true),
        ("DoesNotExist", "tier", vec![], false),
    ] {
        let selector: LabelSelector = serde_json::from_value(serde_json::json!({
            "matchExpressions": [{"key": key, "operator": operator, "values": values}],
        }))
        .unwrap();
        assert_eq!(
            unmet_requirements(Some(&selector), &labels).is_empty(),
            met,
            "{key} {operator} {values:?}"
        );
    }
}

#[test]
fn the_nearest_comes_first_and_is_explained() {
    let small = Volume {
        size: "1Gi".into(),
        capacity: quantity::parse_bytes("1Gi"),
        ..volume("small")
    };
    let smaller = Volume {
        size: "500Mi".into(),
        capacity: quantity::parse_bytes("500Mi"),
        ..volume("smaller")
    };
    let released = Volume {
        phase: "Released".into(),
        claim: reference("other", "x"),
        ..volume("released")
    };
    let taken = Volume {
        phase: "Bound".into(),
        claim: reference("other", "x"),
        ..volume("taken")
    };
    let far = Volume {
        class: "gold".into(),
        ..small.clone()
    };
    let all = [far, taken, released, smaller, small];
    let ranked = rank_volumes(&claim(), &all);
    let lines: Vec<_> = ranked.iter().map(|near| describe_near_miss(near, &claim())).collect();
    assert_eq!(
        lines,
        [
            "PV small fits but for its size (1Gi < 5Gi)",
            "PV smaller fits but for its size (500Mi < 5Gi)",
            "PV released fits but for being Released (it was default/other's)",
        ]
    );
}

#[test]
fn a_few_of_those_that_are_alike_stand_for_all() {
    let mut volumes = Vec::new();
    for number in 0..60 {
        let mut volume = volume(&format!("v-{:02}", (number * 37) % 60));
        // Sizes, labels, phases and owners, in all combinations.
        volume.capacity = quantity::parse_bytes(["1Gi", "4Gi", "9Gi"][number % 3]);
        if number % 2 == 0 {
            volume.labels.insert("tier".into(), "gold".into());
        }
        if number % 5 == 0 {
            volume.phase = "Released".into();
            volume.claim = reference(&format!("gone-{number}"), "x");
        }
        volumes.push(volume);
    }
    let all: Vec<&Volume> = volumes.iter().collect();
    let few = pick_representatives(&all);
    assert!(few.len() < all.len());
    let names = |volumes: &[&Volume]| -> Vec<(String, Vec<Mismatch>)> {
        let ranked = rank_volumes(&claim(), volumes.iter().copied());
        let first = ranked.into_iter().take(ALIKE);
        first.map(|near| (near.volume.name.clone(), near.mismatches)).collect()
    };
    assert_eq!(names(&few), names(&all));
}
