//! The limits that wait for one server, so that one run of the scripts sets all that have come meanwhile.
//!
//! The scripts start some thirty processes for any number of directories, so in a burst of claims they wait for further
//! ones. A claim alone waits for nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{Mutex as AsyncMutex, Notify, oneshot};
use tokio::time::{Instant, timeout};

use super::quota::{LimitChange, SizeLimit};
use super::{ExportError, VolumePath};

/// How long limits wait at most until as many are there as were set together just now: the claims that follow have yet
/// to create their directories.
const COLLECT: Duration = Duration::from_millis(200);

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
    /// Locked while limits are set.
    last_run: AsyncMutex<Option<LastRun>>,
}

/// When limits were set last, and how many.
#[derive(Debug)]
struct LastRun {
    end: Instant,
    count: usize,
}

impl LimitQueue {
    /// Waits while other limits are set, and right after them up to [`COLLECT`] for further ones. Then sets this one by
    /// `limit_all`, together with those that have come meanwhile and are in the same parent directory; not if another
    /// caller sets it so first. `limit_all` gives the results in the order of the requests. A caller that is dropped
    /// while it waits withdraws its request.
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
        let mut last_run = tokio::select! {
            biased;
            result = &mut answered => return result.unwrap_or(given_up),
            last_run = self.last_run.lock() => last_run,
        };
        // It may have come between the looks at the two.
        match answered.try_recv() {
            Err(TryRecvError::Empty) => {}
            result => return result.unwrap_or(given_up),
        }
        // Those that can come at this moment do.
        tokio::task::yield_now().await;
        if let Some(last) = &*last_run
            && last.end.elapsed() < COLLECT
        {
            // Fewer may come.
            _ = timeout(COLLECT, self.wait_for(last.count)).await;
        }
        let (requests, answers): (Vec<_>, Vec<_>) = self.take_waiting(&parents).into_iter().unzip();
        let results = limit_all(requests).await;
        *last_run = Some(LastRun {
            end: Instant::now(),
            count: answers.len(),
        });
        for (answer, result) in answers.into_iter().zip(results) {
            // A caller that gave up has no use for it.
            _ = answer.send(result);
        }
        answered.await.unwrap_or(given_up)
    }

    /// Waits until no limits are being set. None are until what it returns is dropped.
    pub(super) async fn pause(&self) -> impl Sized {
        self.last_run.lock().await
    }

    /// Waits, without a timeout, until at least `count` directories wait for their limits.
    async fn wait_for(&self, count: usize) {
        while self.lock_waiting().len() < count {
            self.added.notified().await;
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
}
