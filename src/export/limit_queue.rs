//! The limits that wait for one server, so that one run of the scripts sets all that have come meanwhile.
//!
//! The scripts start some twenty processes for any number of directories, so in a burst of claims they wait for further
//! ones. A claim alone waits for nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex as AsyncMutex, Notify, oneshot};
use tokio::time::timeout;

use super::quota::{LimitChange, SizeLimit};
use super::{ExportError, VolumePath};

/// How long limits wait for others that are announced: at most in all, and at most for the next one.
const COLLECT: Duration = Duration::from_millis(200);
const NEXT: Duration = Duration::from_millis(25);

/// A directory to limit.
#[derive(Clone, Debug)]
pub(super) struct LimitRequest {
    pub(super) path: VolumePath,
    pub(super) limit: SizeLimit,
    pub(super) change: LimitChange,
    /// The directory's inode as NFS clients see it; `None` if it isn't reached over NFS.
    pub(super) nfs_inode: Option<u64>,
}

type LimitResult = Result<(), ExportError>;

#[derive(Debug)]
struct Waiting {
    request: LimitRequest,
    answer: oneshot::Sender<LimitResult>,
}

/// The directories that wait for their limits.
#[derive(Debug, Default)]
pub(super) struct LimitQueue {
    waiting: Mutex<Vec<Waiting>>,
    added: Notify,
    /// How many limits are announced, those that wait among them.
    announced: AtomicUsize,
    /// Locked while limits are set.
    run: AsyncMutex<()>,
}

/// Says that a limit will be asked for soon, until this is dropped.
#[derive(Debug)]
pub struct AnnouncedLimit<'a>(&'a LimitQueue);

impl Drop for AnnouncedLimit<'_> {
    fn drop(&mut self) {
        self.0.announced.fetch_sub(1, Ordering::Relaxed);
    }
}

impl LimitQueue {
    /// Announces a limit that will be asked for soon: those that are waiting to be set wait for it, too.
    pub(super) fn announce(&self) -> AnnouncedLimit<'_> {
        self.announced.fetch_add(1, Ordering::Relaxed);
        AnnouncedLimit(self)
    }

    /// Waits while other limits are set, then for those that are announced, as long as they keep coming. Then sets this
    /// one by `limit_all`, together with those that have come meanwhile and are in the same parent directory; not if
    /// another caller sets it so first. `limit_all` gives the results in the order of the requests. A caller that is
    /// dropped while it waits withdraws its request.
    ///
    /// # Errors
    /// That of `limit_all`; [`ExportError::Failed`] if the caller that sets the limit gives up.
    pub(super) async fn limit<Limited>(
        &self,
        request: LimitRequest,
        limit_all: impl FnOnce(Vec<LimitRequest>) -> Limited,
    ) -> LimitResult
    where
        Limited: Future<Output = Vec<LimitResult>>,
    {
        let parents = request.path.split().0.to_vec();
        let given_up = Err(ExportError::Failed {
            action: "limit",
            path: request.path.to_string(),
            cause: "the claim that it was limited with was given up".to_owned(),
        });
        let (answer, mut answered) = oneshot::channel();
        self.lock_waiting().push(Waiting { request, answer });
        self.added.notify_one();
        let _run = tokio::select! {
            biased;
            result = &mut answered => return result.unwrap_or(given_up),
            run = self.run.lock() => run,
        };
        // It may have come between the looks at the two.
        match answered.try_recv() {
            Err(TryRecvError::Empty) => {}
            result => return result.unwrap_or(given_up),
        }
        // Those that can come at this moment do.
        tokio::task::yield_now().await;
        // Those on a server that hangs may never come.
        _ = timeout(COLLECT, self.wait_for_announced()).await;
        let (requests, answers): (Vec<_>, Vec<_>) = self.take_waiting(&parents).into_iter().unzip();
        let results = limit_all(requests).await;
        for (answer, result) in answers.into_iter().zip(results) {
            // A caller that gave up has no use for it.
            _ = answer.send(result);
        }
        answered.await.unwrap_or(given_up)
    }

    /// Waits until no limits are being set. None are until what it returns is dropped.
    pub(super) async fn pause(&self) -> impl Sized {
        self.run.lock().await
    }

    /// Waits until all limits that are announced are there, or none has come for [`NEXT`].
    async fn wait_for_announced(&self) {
        while self.lock_waiting().len() < self.announced.load(Ordering::Relaxed) {
            if timeout(NEXT, self.added.notified()).await.is_err() {
                return;
            }
        }
    }

    /// Takes those that are in this parent directory. Requests whose callers gave up are dropped, wherever they are.
    fn take_waiting(&self, parents: &[String]) -> Vec<(LimitRequest, oneshot::Sender<LimitResult>)> {
        let mut waiting = self.lock_waiting();
        waiting.retain(|waiting| !waiting.answer.is_closed());
        let taken = waiting.extract_if(.., |waiting| waiting.request.path.split().0 == parents);
        taken.map(|waiting| (waiting.request, waiting.answer)).collect()
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Vec<Waiting>> {
        // The list stays valid if a thread panicked while it held the lock.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::FutureExt;
    use tokio::sync::Notify;

    use super::*;

    fn request(path: &str) -> LimitRequest {
        LimitRequest {
            path: VolumePath::parse(path).unwrap(),
            limit: SizeLimit::new(1, "0b510b51-0b51-4b51-8b51-0b510b510b51").unwrap(),
            change: LimitChange::New,
            nfs_inode: None,
        }
    }

    #[tokio::test]
    async fn what_comes_while_limits_are_set_is_set_together_by_parent_directory() {
        let queue = Arc::new(LimitQueue::default());
        let batches = Arc::new(Mutex::new(Vec::new()));
        let may_end = Arc::new(Notify::new());
        let limit = |path: &'static str| {
            let (queue, batches, may_end) = (queue.clone(), batches.clone(), may_end.clone());
            async move {
                let limit_all = |requests: Vec<LimitRequest>| async move {
                    let paths: Vec<String> = requests.iter().map(|request| request.path.to_string()).collect();
                    batches.lock().unwrap().push(paths);
                    may_end.notified().await;
                    let result = |request: &LimitRequest| match request.path.to_string().ends_with("bad") {
                        true => Err(ExportError::Exists(request.path.to_string())),
                        false => Ok(()),
                    };
                    requests.iter().map(result).collect()
                };
                queue.limit(request(path), limit_all).await
            }
        };
        let pause = queue.pause().await;
        let first = tokio::spawn(limit("first"));
        while queue.lock_waiting().is_empty() {
            tokio::task::yield_now().await;
        }
        tokio::task::yield_now().await;
        assert!(batches.lock().unwrap().is_empty(), "limits are set in a pause");
        drop(pause);
        while batches.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        let later = ["a", "x/b", "bad", "c", "x/bad"].map(|path| tokio::spawn(limit(path)));
        // One gives up while it waits.
        let mut gone = Box::pin(limit("gone"));
        assert!((&mut gone).now_or_never().is_none());
        while queue.lock_waiting().len() < 6 {
            tokio::task::yield_now().await;
        }
        drop(gone);
        for _ in 0..3 {
            may_end.notify_one();
            let batches_before = batches.lock().unwrap().len();
            while batches_before < 3 && batches.lock().unwrap().len() == batches_before {
                tokio::task::yield_now().await;
            }
        }
        first.await.unwrap().unwrap();
        let mut succeeded = Vec::new();
        for one in later {
            succeeded.push(one.await.unwrap().is_ok());
        }
        assert_eq!(succeeded, [true, true, false, true, false]);
        let expected = [&["first"][..], &["a", "bad", "c"], &["x/b", "x/bad"]];
        assert_eq!(*batches.lock().unwrap(), expected);
    }

    /// The clock stands still unless all tasks wait, and then goes to the next timeout.
    #[tokio::test(start_paused = true)]
    async fn limits_wait_for_those_that_are_announced_while_they_come() {
        let (next, collect) = (NEXT.as_millis() as u64, COLLECT.as_millis() as u64);
        let many: Vec<u64> = (1..=20).map(|number| number * (next - 1)).collect();
        let in_time = many.iter().filter(|comes| **comes < collect).count();
        for (others, expected_wait, expected_batch) in [
            // After how many milliseconds others come, how long the first waits, and how many are limited with it.
            (&[][..], 0, 1),
            (&[next - 1], next - 1, 2),
            (&[next - 1, 2 * next - 2], 2 * next - 2, 3),
            (&[next + 1], next, 1),
            (&many, collect, in_time + 1),
        ] {
            let queue = LimitQueue::default();
            let batches = Mutex::new(Vec::new());
            let limit = |path: &'static str, comes: u64| {
                let (queue, batches) = (&queue, &batches);
                async move {
                    let _announced = queue.announce();
                    tokio::time::sleep(Duration::from_millis(comes)).await;
                    let limit_all = |requests: Vec<LimitRequest>| async move {
                        batches.lock().unwrap().push(requests.len());
                        vec![Ok(()); requests.len()]
                    };
                    queue.limit(request(path), limit_all).await.unwrap();
                    tokio::time::Instant::now()
                }
            };
            let begun = tokio::time::Instant::now();
            let others_limited = futures::future::join_all(others.iter().map(|comes| limit("other", *comes)));
            let (_, first) = tokio::join!(others_limited, limit("first", 0));
            let waited = (first - begun).as_millis() as u64;
            assert_eq!(
                (waited, batches.lock().unwrap()[0]),
                (expected_wait, expected_batch),
                "{others:?}"
            );
        }
    }
}
