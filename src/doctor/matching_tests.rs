use super::*;
use crate::cluster::snapshot::{ClaimRef, Requirements};

fn claim() -> Claim {
    Claim {
        namespace: "default".into(),
        name: "mypvc".into(),
        uid: "c1".into(),
        class: Some("nfs".into()),
        requirements: Requirements {
            bytes: quantity::parse_bytes("5Gi").unwrap(),
            modes: vec!["ReadWriteOnce".into()],
            volume_mode: "Filesystem".into(),
            selector: Vec::new(),
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

#[test]
fn the_nearest_volume_comes_first_with_its_mismatch() {
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
    let lines: Vec<_> = ranked
        .iter()
        .map(|candidate| describe_near_miss(candidate, &claim()))
        .collect();
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
fn a_few_of_the_volumes_that_are_alike_represent_all() {
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
        first
            .map(|candidate| (candidate.volume.name.clone(), candidate.mismatches))
            .collect()
    };
    assert_eq!(names(&few), names(&all));
}
