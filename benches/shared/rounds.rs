//! One round: claims created at once, and how long each takes until it is Bound.

use std::collections::HashMap;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::DeleteParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

/// How many clients create or delete claims, PVs or directories at the same time.
pub const CLIENTS: usize = 16;

/// The namespaces over which claims are spread.
pub const NAMESPACES: [&str; 4] = ["default", "second", "third", "fourth"];

/// How long a round may take.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The results of one round.
pub struct Round {
    /// From the creation of the first claim until the last one is Bound.
    pub whole: Duration,
    /// For each claim from its creation until it is Bound, in ascending order.
    pub each: Vec<Duration>,
}

impl Round {
    /// The time within which `percent` of the claims are Bound.
    pub fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.each.len() * percent).div_ceil(100).max(1);
        self.each[rank - 1]
    }
}

/// Creates `count` claims of `class` at once in that many namespaces, and waits until all are Bound.
pub async fn round(client: &Client, class: &str, count: usize, namespaces: usize) -> Result<Round> {
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), NAMESPACES[0]);
    let all: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let mut events = pin!(watcher(all, watcher::Config::default()).touched_objects());
    // The watch must run before the first claim, so that it reports every Bound claim.
    let barrier = format!("{class}-barrier");
    claims
        .create(&Default::default(), &claim(&barrier, "no-such-class")?)
        .await?;
    while events.try_next().await?.context("watch ended")?.name_any() != barrier {}
    claims.delete(&barrier, &Default::default()).await?;

    let begun = Instant::now();
    let make = stream::iter(0..count)
        .map(|number| {
            let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), NAMESPACES[number % namespaces]);
            async move {
                let name = format!("{class}-{number}");
                let at = Instant::now();
                claims.create(&Default::default(), &claim(&name, class)?).await?;
                anyhow::Ok((name, at))
            }
        })
        .buffer_unordered(CLIENTS)
        .try_collect::<HashMap<_, _>>();
    let bound = async {
        let mut bound = HashMap::new();
        while bound.len() < count {
            let claim = events.try_next().await?.context("watch ended")?;
            let phase = claim.status.as_ref().and_then(|status| status.phase.as_deref());
            let ours = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.as_deref()) == Some(class);
            if ours && phase == Some("Bound") {
                bound.entry(claim.name_any()).or_insert_with(Instant::now);
            }
        }
        anyhow::Ok(bound)
    };
    let both = async { tokio::try_join!(make, bound) };
    let (made, bound) = tokio::time::timeout(LIMIT, both)
        .await
        .context("the claims are not all Bound in time")??;
    let last = bound.values().max().context("no claims")?;
    let mut each: Vec<_> = made.iter().map(|(name, at)| bound[name].duration_since(*at)).collect();
    each.sort();
    Ok(Round {
        whole: last.duration_since(begun),
        each,
    })
}

/// Removes the objects of a round, so that the next one starts with the same cluster.
pub async fn clear(client: &Client) -> Result<()> {
    let claims: Api<PersistentVolumeClaim> = Api::all(client.clone());
    let volumes: Api<PersistentVolume> = Api::all(client.clone());
    let begun = Instant::now();
    loop {
        for namespace in NAMESPACES {
            let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
            claims
                .delete_collection(&DeleteParams::default(), &Default::default())
                .await?;
        }
        volumes
            .delete_collection(&DeleteParams::default(), &Default::default())
            .await?;
        let left =
            claims.list(&Default::default()).await?.items.len() + volumes.list(&Default::default()).await?.items.len();
        if left == 0 {
            return Ok(());
        }
        ensure!(begun.elapsed() < LIMIT, "{left} claims and volumes won't go");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Waits until a process is idle, so that the next round is measured alone: nfsprov publishes its events and writes its
/// records after a burst.
pub async fn settle(pid: u32) -> Result<()> {
    let begun = Instant::now();
    let mut last = processor_ticks(pid)?;
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = processor_ticks(pid)?;
        // Its watches and leases need some time even when it is idle.
        if now - last <= 2 {
            return Ok(());
        }
        ensure!(begun.elapsed() < LIMIT, "process {pid} does not become idle");
        last = now;
    }
}

/// The processor time of a process, in the kernel's ticks of 10 ms.
pub fn processor_ticks(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let stat = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    // The program's name, in parentheses, may contain spaces. utime and stime are fields 14 and 15.
    let after_name = stat.rsplit_once(") ").context("no name in it")?.1;
    let fields: Vec<&str> = after_name.split(' ').collect();
    Ok(fields[11].parse::<u64>()? + fields[12].parse::<u64>()?)
}

pub fn claim(name: &str, class: &str) -> Result<PersistentVolumeClaim> {
    Ok(serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteMany"],
                 "resources": {"requests": {"storage": "1Gi"}}},
    }))?)
}

/// The ratios of two provisioners, each of a round to its neighbour, because a machine's speed varies. So the median
/// differs from the ratio of the two median rounds.
pub struct Ratios(Vec<f64>);

impl Ratios {
    pub fn new<T>(ours: &[T], theirs: &[T], ratio: impl Fn(&T, &T) -> f64) -> Self {
        let mut ratios: Vec<_> = ours.iter().zip(theirs).map(|(our, their)| ratio(our, their)).collect();
        ratios.sort_by(f64::total_cmp);
        Self(ratios)
    }
}

impl std::fmt::Display for Ratios {
    /// The median, and the range without the lowest and the highest tenth.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ratios, last) = (&self.0, self.0.len() - 1);
        let cut = self.0.len() / 10;
        write!(
            f,
            "{:.2} ({:.2} to {:.2})",
            ratios[last / 2],
            ratios[cut],
            ratios[last - cut]
        )
    }
}

pub async fn class(client: &Client, name: &str, provisioner: &str, policy: &str, parameters: Value) -> Result<()> {
    let class: StorageClass = serde_json::from_value(json!({
        "metadata": {"name": name}, "provisioner": provisioner, "reclaimPolicy": policy, "parameters": parameters,
    }))?;
    Api::all(client.clone()).create(&Default::default(), &class).await?;
    Ok(())
}

/// The median round by time. Rounds of one claim each are merged into one round.
pub fn middle(mut rounds: Vec<Round>) -> Round {
    rounds.sort_by_key(|round| round.whole);
    let each: Vec<_> = rounds.iter().flat_map(|round| &round.each).copied().collect();
    let mut middle = rounds.swap_remove(rounds.len() / 2);
    if middle.each.len() == 1 {
        middle.each = each;
        middle.each.sort();
    }
    middle
}

/// Prints the results of the median round.
pub fn row((count, namespaces): (usize, usize), who: &str, round: &Round, rounds: usize, ratio: String) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let rate = count as f64 / round.whole.as_secs_f64();
    println!(
        "{count:>7} {namespaces:>10} {who:>9} {rate:>10.1} {:>10.1} {:>10.1} {:>10.1} {rounds:>8}   {ratio}",
        ms(round.percentile(50)),
        ms(round.percentile(99)),
        ms(round.whole),
    );
}
