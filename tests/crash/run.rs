//! Runs the plan: rounds that each end with a kill, and a last round until the provisioner has no work left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use futures::{StreamExt, pin_mut};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim};
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, ResourceExt};
use nfsprov_lab::process::Process;
use nfsprov_lab::{Lab, Lane};
use serde_json::json;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::check::{RULES, When};
use crate::place::{Environment, Limits, stop};
use crate::plan::{Claim, Kill, Kind, LIVE, Round, Step, rounds};
use crate::state::{History, Made, SIZE, State};

/// How long one awaited event may take.
const EVENT_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the provisioner may take until it has no work left.
const REST_TIMEOUT: Duration = Duration::from_secs(180);

/// How many rounds a run with two provisioners has at most.
const PAIR_ROUNDS: usize = 2000;

/// Every how many rounds the test runs `volumes orphans`, which logs in to the server. A limit that it does not list
/// stays until then.
const ORPHANS_EVERY: usize = 5;

/// How many violations are printed in full.
const MAX_PRINTED: usize = 20;

struct Run {
    environment: Environment,
    history: Arc<Mutex<History>>,
    /// The uid of the last claim of each name.
    uids: Mutex<HashMap<Claim, String>>,
    tally: Tally,
}

/// Counts of results and of what the kills interrupted.
#[derive(Default)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    starting: usize,
    serving: usize,
    half_made: usize,
    half_gone: usize,
    recording: usize,
    half_recorded: usize,
    limiting: usize,
    half_limited: usize,
    limited: usize,
    unused_limits: usize,
    violations: usize,
}

/// Runs `count` rounds of the plan for `seed`, then a last round without a kill; prints what it found.
pub async fn run(lab: &Lab, lane: Lane, seed: u64, count: usize) -> Result<Tally> {
    let (mut run, watching) = Run::prepare(lab, lane).await?;
    println!(
        "crash: seed {seed}, {count} rounds, {LIVE} live claims, Kubernetes {}",
        run.environment.plane.version()
    );
    let plan = rounds(seed, count);
    for (number, round) in plan.iter().enumerate() {
        run.round(number, round)
            .await
            .with_context(|| format!("round {number}"))?;
    }
    run.run_last_round(plan.last()).await?;
    run.finish(watching).await
}

/// Has two provisioners of one name serve the same claims for `duration`, without a Lease and without kills. All rules
/// must hold after each round of the plan for `seed`.
pub async fn run_pair(lab: &Lab, lane: Lane, seed: u64, duration: Duration) -> Result<Tally> {
    let (mut run, watching) = Run::prepare(lab, lane).await?;
    println!(
        "pair: seed {seed}, {} s, {LIVE} live claims, Kubernetes {}",
        duration.as_secs(),
        run.environment.plane.version()
    );
    let pair = [
        run.environment.start("provision-a.log")?,
        run.environment.start("provision-b.log")?,
    ];
    let start = Instant::now();
    let plan = rounds(seed, PAIR_ROUNDS);
    let mut count = 0;
    for (number, round) in plan.iter().enumerate() {
        if start.elapsed() > duration {
            break;
        }
        run.steps(round, false).await?;
        run.steps(round, true).await?;
        let state = run.wait_for_rest(&pair).await?;
        let broken = run.broken(&state, When::AtRest);
        run.count_and_print(&format!("round {number}"), broken);
        run.fill(&state).await?;
        count += 1;
    }
    for provisioner in pair {
        stop(provisioner).await?;
    }
    println!("pair: {count} rounds");
    let (mut state, took) = (run.environment.read_state(Limits::All).await?, start.elapsed());
    let audited = run.environment.add_audited_writes(&mut state)?;
    let broken = run.broken(&state, When::AtRest);
    run.summary(&state, audited, took);
    run.count_and_print("the end", broken);
    run.finish(watching).await
}

impl Run {
    /// Starts the environment and begins to record its PVs.
    async fn prepare(lab: &Lab, lane: Lane) -> Result<(Self, tokio::task::JoinHandle<()>)> {
        let environment = Environment::new(lab, lane).await?;
        let history = History {
            outside: environment.outside().await?,
            ..History::default()
        };
        let history = Arc::new(Mutex::new(history));
        let watching = tokio::spawn(remember(environment.client.clone(), history.clone()));
        let run = Self {
            environment,
            history,
            uids: Mutex::default(),
            tally: Tally::default(),
        };
        Ok((run, watching))
    }

    async fn finish(self, watching: tokio::task::JoinHandle<()>) -> Result<Tally> {
        ensure!(!watching.is_finished(), "the watch on PVs ended");
        watching.abort();
        self.environment.plane.stop().await?;
        Ok(self.tally)
    }
}

/// Records the claim of every PV that ever exists.
async fn remember(client: Client, history: Arc<Mutex<History>>) {
    let volumes: Api<PersistentVolume> = Api::all(client);
    let events = watcher(volumes, watcher::Config::default())
        .default_backoff()
        .touched_objects();
    pin_mut!(events);
    while let Some(event) = events.next().await {
        let claim = event.ok().and_then(|volume| volume.spec?.claim_ref?.uid);
        let mut history = history.lock().unwrap_or_else(PoisonError::into_inner);
        history.provisioned.extend(claim);
    }
}

impl Run {
    async fn round(&mut self, number: usize, round: &Round) -> Result<()> {
        self.steps(round, false).await?;
        let provisioner = self.environment.start(&format!("provision-{number}.log"))?;
        tokio::try_join!(
            kill_at_moment(&self.environment, provisioner, round.kill),
            self.steps(round, true)
        )?;
        match round.kill {
            Kill::Starting(_) => self.tally.starting += 1,
            Kill::Serving(_) => self.tally.serving += 1,
            Kill::Recording(_) => self.tally.recording += 1,
            Kill::Limiting(_) => self.tally.limiting += 1,
        }
        let limits = match number.is_multiple_of(ORPHANS_EVERY) {
            true => Limits::All,
            false => Limits::OfDirectories,
        };
        let state = self.environment.read_state(limits).await?;
        self.count_interrupted(&state);
        let broken = self.broken(&state, When::Always);
        self.count_and_print(&format!("round {number}"), broken);
        self.fill(&state).await
    }

    /// Executes the steps of a round at their times from now on; with `is_later` false, those before the provisioner's
    /// start.
    async fn steps(&self, round: &Round, is_later: bool) -> Result<()> {
        let start = Instant::now();
        let chains = round.chains.iter().map(|(claim, steps)| async move {
            for (when, step) in steps.iter().filter(|(when, _)| when.is_some() == is_later) {
                if let Some(when) = when {
                    sleep_until(start + *when).await;
                }
                self.step(claim, *step).await?;
            }
            anyhow::Ok(())
        });
        try_join_all(chains).await.map(drop)
    }

    /// Executes one step of a user or an administrator.
    async fn step(&self, claim: &Claim, step: Step) -> Result<()> {
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(self.environment.client.clone(), claim.namespace);
        let uid = self
            .uids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(claim)
            .cloned();
        match (step, uid) {
            (Step::Create, earlier) => {
                if let Some(uid) = earlier {
                    let gone = await_condition(claims.clone(), &claim.name, is_deleted(&uid));
                    timeout(EVENT_TIMEOUT, gone)
                        .await
                        .with_context(|| format!("{} is not deleted", claim.name))??;
                }
                let object = serde_json::from_value(json!({
                    "metadata": {"name": claim.name},
                    "spec": {"storageClassName": claim.class(), "accessModes": ["ReadWriteMany"],
                             "resources": {"requests": {"storage": SIZE}}},
                }))?;
                let made = claims.create(&Default::default(), &object).await?;
                let uid = made.uid().context("the created claim has no uid")?;
                self.uids
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(claim.clone(), uid.clone());
                let made = Made {
                    claim: claim.clone(),
                    deleted: false,
                };
                self.history().made.insert(uid, made);
            }
            (Step::Delete, Some(uid)) => {
                if let Some(made) = self.history().made.get_mut(&uid) {
                    made.deleted = true;
                }
                claims.delete(&claim.name, &Default::default()).await?;
            }
            (Step::DeleteVolume, Some(uid)) => {
                let volumes: Api<PersistentVolume> = Api::all(self.environment.client.clone());
                match volumes.delete(&format!("pvc-{uid}"), &Default::default()).await {
                    // The claim has no PV yet.
                    Err(kube::Error::Api(status)) if status.is_not_found() => {}
                    answer => _ = answer?,
                }
            }
            (step, None) => bail!("{step:?} of {claim:?}, which was never created"),
        }
        Ok(())
    }

    fn history(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts what the kill interrupted, such as directories without their PV and PVs whose directory is already
    /// deleted.
    fn count_interrupted(&mut self, state: &State) {
        let history = self.history.lock().unwrap_or_else(PoisonError::into_inner);
        let has_volume = |uid: &str| state.volumes.iter().any(|volume| volume.claim == uid);
        let made = history.made.iter().filter(|(uid, made)| {
            !made.claim.kind.has_marker()
                && state.export.contains_key(&made.directory(uid))
                && !has_volume(uid)
                && !matches!(made.claim.kind, Kind::Left | Kind::Kept)
        });
        self.tally.half_made += made.count();
        let gone = state
            .volumes
            .iter()
            .filter(|volume| volume.policy == "Delete" && !state.export.contains_key(&volume.path));
        self.tally.half_gone += gone.count();
        let bound = state.volumes.iter().filter(|volume| volume.phase == "Bound");
        let unrecorded = bound.filter(|volume| !state.records.contains_key(&volume.name));
        self.tally.half_recorded += unrecorded.count();
        let has_limit = |id: &u32| state.projects.get(id).is_some_and(|project| project.limit_kib > 0);
        let unlimited = state.project_ids.values().filter(|id| !has_limit(id));
        self.tally.half_limited += unlimited.count();
        let with_volume = state
            .volumes
            .iter()
            .filter(|volume| state.project_ids.get(&volume.path).is_some_and(has_limit));
        self.tally.limited += with_volume.count();
        self.tally.unused_limits += state.orphaned.len();
    }

    fn broken(&self, state: &State, when: When) -> Vec<String> {
        let history = self.history();
        let rules = RULES
            .iter()
            .filter(|(_, holds, _)| when == When::AtRest || *holds == When::Always);
        rules
            .flat_map(|(name, _, rule)| {
                let broken = rule(state, &history);
                broken.into_iter().map(move |what| format!("{name}: {what}"))
            })
            .collect()
    }

    fn count_and_print(&mut self, what: &str, broken: Vec<String>) {
        match broken.is_empty() {
            true => self.tally.passed += 1,
            false => self.tally.failed += 1,
        }
        for breach in broken {
            self.tally.violations += 1;
            if self.tally.violations <= MAX_PRINTED {
                println!("violated after {what}: {breach}");
            }
        }
    }

    /// Writes data into the volumes that have none yet. No provisioner runs meanwhile.
    async fn fill(&self, state: &State) -> Result<()> {
        let empty: Vec<(String, String)> = {
            let history = self.history();
            let used = |uid: &str| history.made.get(uid).is_some_and(|made| !made.deleted);
            let volumes = state.volumes.iter().filter(|volume| {
                let ready =
                    volume.phase == "Bound" && !volume.is_terminating && state.export.contains_key(&volume.path);
                ready && used(&volume.claim) && !history.filled.contains(&volume.claim)
            });
            volumes
                .map(|volume| (volume.path.clone(), volume.claim.clone()))
                .collect()
        };
        self.environment.fill(&empty).await?;
        self.history().filled.extend(empty.into_iter().map(|(_, uid)| uid));
        Ok(())
    }

    /// Runs the provisioner without a kill until all rules hold, or until a timeout. Then deletes the claims that the
    /// last round created: so a run deletes volumes, however early its kills were.
    async fn run_last_round(&mut self, last: Option<&Round>) -> Result<()> {
        let provisioner = [self.environment.start("provision-last.log")?];
        let start = Instant::now();
        self.wait_for_rest(&provisioner).await?;
        let chains = last.map(|round| &round.chains[..]).unwrap_or_default();
        let lives = chains
            .iter()
            .filter(|(_, steps)| matches!(steps[..], [(_, Step::Create)]));
        try_join_all(lives.map(|(claim, _)| self.step(claim, Step::Delete))).await?;
        self.wait_for_rest(&provisioner).await?;
        let took = start.elapsed();
        let [provisioner] = provisioner;
        stop(provisioner).await?;
        let mut state = self.environment.read_state(Limits::All).await?;
        let audited = self.environment.add_audited_writes(&mut state)?;
        ensure!(audited > 0, "the audit log has no write of the provisioner");
        let broken = self.broken(&state, When::AtRest);
        self.summary(&state, audited, took);
        self.count_and_print("the last round", broken);
        Ok(())
    }

    /// Waits until all rules hold, or for [`REST_TIMEOUT`]; returns the last state.
    async fn wait_for_rest(&self, provisioners: &[Process]) -> Result<State> {
        let start = Instant::now();
        loop {
            for provisioner in provisioners {
                provisioner.expect_running()?;
            }
            // Reading fails if a file is removed while it is listed; then the provisioner still has work.
            match self.environment.read_state(Limits::All).await {
                Ok(state) if start.elapsed() > REST_TIMEOUT || self.broken(&state, When::AtRest).is_empty() => {
                    return Ok(state);
                }
                Err(error) if start.elapsed() > REST_TIMEOUT => return Err(error),
                _ => sleep(Duration::from_millis(250)).await,
            }
        }
    }

    fn summary(&self, state: &State, audited: usize, took: Duration) {
        let history = self.history();
        let Tally {
            starting,
            serving,
            half_made,
            half_gone,
            recording,
            half_recorded,
            limiting,
            half_limited,
            limited,
            unused_limits,
            violations,
            ..
        } = &self.tally;
        let live = history.made.values().filter(|made| !made.deleted).count();
        let (made, provisioned) = (history.made.len(), history.provisioned.len());
        let archives = state
            .export
            .keys()
            .filter(|path| path.starts_with("archived-") && !path.contains('/'));
        let bound = state.volumes.iter().filter(|volume| volume.phase == "Bound").count();
        println!(
            "kills: {starting} while starting, {serving} while serving, {recording} while writing records, \
             {limiting} while setting limits"
        );
        println!(
            "interrupted: {half_made} directories without their PV yet, {half_gone} PVs without their directory, \
             {half_recorded} without their record yet, {half_limited} directories without their limit yet, \
             {unused_limits} limits without files; {limited} limited volumes seen after kills"
        );
        println!(
            "claims: {made} made, {} deleted, {live} live; {provisioned} had a PV",
            made - live
        );
        println!(
            "at rest after {:.1} s: {bound} PVs in use, {} retained, {} archives, {} volumes with data",
            took.as_secs_f64(),
            state.volumes.len() - bound,
            archives.count(),
            history.filled.len(),
        );
        println!(
            "audited: {audited} writes of the provisioner on PVs, {} by the cluster's pv-protection controller",
            state.released.len()
        );
        println!("rules: {} in all; {violations} violations before the end", RULES.len());
    }
}

/// Kills the provisioner at the planned moment.
async fn kill_at_moment(environment: &Environment, mut provisioner: Process, kill: Kill) -> Result<()> {
    let after = match kill {
        Kill::Starting(after) => after,
        Kill::Recording(after) => {
            environment.wait_until_newer(".nfsprov/volumes").await?;
            after
        }
        Kill::Limiting(after) => {
            environment.wait_until_newer("*-limited-*").await?;
            after
        }
        Kill::Serving(after) => {
            let end = Instant::now() + EVENT_TIMEOUT;
            loop {
                let log = std::fs::read_to_string(provisioner.log()).unwrap_or_default();
                if log.contains("watching claims and volumes") {
                    break;
                }
                provisioner.expect_running()?;
                ensure!(Instant::now() < end, "nfsprov does not watch claims; its log:\n{log}");
                sleep(Duration::from_millis(5)).await;
            }
            after
        }
    };
    sleep(after).await;
    provisioner.expect_running()?;
    provisioner.kill().await
}
