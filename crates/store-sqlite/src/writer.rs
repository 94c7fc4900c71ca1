//! The one thread that writes. Whatever waits while it writes is committed together the next time, with one sync of the disk.
//!
//! Each piece of work is still a transaction of its own: it runs after those before it, in a savepoint that is taken back where it
//! fails, and it is answered when what it did is on the disk. Nothing waits for company: one that comes alone is committed alone.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;
use vault::store::StoreError;

use crate::connection::unavailable;

/// The way to the thread. It is ended, and its connection closed, when this is dropped.
pub(crate) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

enum Job {
    /// In a transaction, with others.
    Together(Box<dyn Work>),
    /// With the connection to itself.
    Alone(Box<dyn FnOnce(&mut Connection) + Send>),
}

/// One piece of work in a transaction that it may share.
trait Work: Send {
    /// Does it; whether what it did is to be kept.
    fn run(&mut self, transaction: &Transaction<'_>) -> bool;

    /// Answers it, when it is known what became of the transaction.
    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>);
}

struct Pending<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

/// The writing thread ended, or the work panicked in it.
#[derive(Debug, thiserror::Error)]
#[error("the work of writing was not finished")]
struct Unfinished;

impl Writer {
    pub(crate) fn start(connection: Connection) -> std::io::Result<Self> {
        let (jobs, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || write(connection, &waiting))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` in a transaction and answers when that is durable, or was taken back.
    pub(crate) async fn together<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Together(Box::new(Pending { work: Some(work), outcome: None, reply })));
        answer.await.map_err(|_| unavailable(Unfinished))?
    }

    /// Runs `work` between two transactions.
    pub(crate) async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(Job::Alone(Box::new(move |connection| {
            let done = catch_unwind(AssertUnwindSafe(|| work(connection)));
            // Whoever asked may have gone.
            let _ = reply.send(done.unwrap_or_else(|_| Err(unavailable(Unfinished))));
        })));
        answer.await.map_err(|_| unavailable(Unfinished))?
    }

    fn send(&self, job: Job) {
        if let Some(jobs) = &self.jobs {
            // A thread that is gone drops the job, which answers it.
            let _ = jobs.send(job);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        // Work may hold the last of the stores, and then it is this thread that drops it.
        let elsewhere = |thread: &JoinHandle<()>| thread.thread().id() != std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(elsewhere) {
            // What it panicked of, whoever waited was told.
            let _ = thread.join();
        }
    }
}

fn write(mut connection: Connection, waiting: &Receiver<Job>) {
    let mut next = waiting.recv().ok();
    while let Some(job) = next.take() {
        match job {
            Job::Alone(work) => work(&mut connection),
            Job::Together(work) => {
                let mut batch = vec![work];
                while batch.len() < MAX_BATCH {
                    match waiting.try_recv() {
                        Ok(Job::Together(work)) => batch.push(work),
                        Ok(alone) => {
                            next = Some(alone);
                            break;
                        }
                        Err(_) => break,
                    }
                }
                let committed = commit(&mut connection, &mut batch).map_err(Arc::new);
                for work in batch {
                    work.answer(committed.clone());
                }
            }
        }
        if next.is_none() {
            next = waiting.recv().ok();
        }
    }
}

/// One transaction. Where it fails as a whole, nothing of it is kept.
fn commit(connection: &mut Connection, batch: &mut [Box<dyn Work>]) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for work in batch {
        transaction.prepare_cached("SAVEPOINT work")?.execute([])?;
        if !work.run(&transaction) {
            // A full disk, and some other failures, end the transaction itself: then this fails, and all of the batch with it.
            transaction.prepare_cached("ROLLBACK TO work")?.execute([])?;
        }
        transaction.prepare_cached("RELEASE work")?.execute([])?;
    }
    transaction.commit()
}

impl<T, F> Work for Pending<T, F>
where
    T: Send,
    F: FnOnce(&Transaction<'_>) -> Result<T, StoreError> + Send,
{
    fn run(&mut self, transaction: &Transaction<'_>) -> bool {
        let work = self.work.take();
        // A panic takes back its own work and nobody else's.
        let run = || work.map(|work| work(transaction));
        let done = catch_unwind(AssertUnwindSafe(run)).unwrap_or_default();
        let outcome = done.unwrap_or_else(|| Err(unavailable(Unfinished)));
        let kept = outcome.is_ok();
        self.outcome = Some(outcome);
        kept
    }

    fn answer(self: Box<Self>, committed: Result<(), Arc<rusqlite::Error>>) {
        // A refusal may rest on what another of the batch had done, so it stands only with the rest.
        let answer = match committed {
            Ok(()) => self.outcome.unwrap_or_else(|| Err(unavailable(Unfinished))),
            Err(error) => Err(unavailable(error)),
        };
        // Whoever asked may have gone.
        let _ = self.reply.send(answer);
    }
}

/// So that the first of a batch does not wait long for its answer.
const MAX_BATCH: usize = 128;

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    fn store() -> (tempfile::TempDir, Writer) {
        let dir = tempfile::tempdir().unwrap();
        let connection = Connection::open(dir.path().join("numbers.db")).unwrap();
        connection.execute_batch("CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT").unwrap();
        (dir, Writer::start(connection).unwrap())
    }

    async fn put(writer: &Writer, n: i64) -> Result<(), StoreError> {
        let insert =
            move |t: &Transaction<'_>| t.execute("INSERT INTO numbers VALUES (?1)", [n]).map_err(unavailable);
        writer.together(insert).await.map(drop)
    }

    async fn numbers(writer: &Writer) -> Vec<i64> {
        let read = |connection: &mut Connection| {
            let mut statement =
                connection.prepare("SELECT n FROM numbers ORDER BY n").map_err(unavailable)?;
            let rows = statement.query_map([], |row| row.get(0)).map_err(unavailable)?;
            rows.collect::<rusqlite::Result<_>>().map_err(unavailable)
        };
        writer.alone(read).await.unwrap()
    }

    /// Keeps the thread busy until what is returned is dropped, so that whatever comes meanwhile is one batch.
    async fn hold(writer: &Writer) -> Sender<()> {
        let (held, until) = channel();
        let (begun, begins) = oneshot::channel();
        writer.send(Job::Alone(Box::new(move |_| {
            begun.send(()).unwrap();
            until.recv().unwrap_err();
        })));
        begins.await.unwrap();
        held
    }

    #[tokio::test]
    async fn of_a_batch_what_fails_is_taken_back_and_the_rest_is_kept() {
        let (_dir, writer) = store();
        let held = hold(&writer).await;
        let half_done = async {
            let work = |t: &Transaction<'_>| {
                t.execute("INSERT INTO numbers VALUES (100)", []).map_err(unavailable)?;
                Err::<(), _>(StoreError::Restored)
            };
            writer.together(work).await
        };
        let panics = async {
            let work = |t: &Transaction<'_>| {
                t.execute("INSERT INTO numbers VALUES (200)", []).unwrap();
                panic!("in the middle of its work")
            };
            writer.together::<()>(work).await
        };
        let release = async { drop(held) };
        let (first, half_done, panics, twice, last, ()) =
            futures::join!(put(&writer, 1), half_done, panics, put(&writer, 1), put(&writer, 2), release);
        assert!(first.is_ok() && last.is_ok());
        assert!(matches!(half_done, Err(StoreError::Restored)));
        assert!(matches!(panics, Err(StoreError::Unavailable(_))));
        assert!(matches!(twice, Err(StoreError::Unavailable(_))), "it saw what came before it");
        assert_eq!(numbers(&writer).await, [1, 2]);
    }

    #[tokio::test]
    async fn where_the_commit_fails_everybody_is_told_and_nothing_is_kept() {
        let (_dir, writer) = store();
        let held = hold(&writer).await;
        let ends_the_transaction = async {
            let work = |t: &Transaction<'_>| t.execute_batch("ROLLBACK").map_err(unavailable);
            writer.together(work).await
        };
        let release = async { drop(held) };
        let (before, ended, after, ()) =
            futures::join!(put(&writer, 1), ends_the_transaction, put(&writer, 2), release);
        for told in [before, ended, after] {
            assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
        }
        assert_eq!(numbers(&writer).await, [0_i64; 0]);
        put(&writer, 3).await.unwrap();
        assert_eq!(numbers(&writer).await, [3]);
    }

    #[tokio::test]
    async fn many_at_once_share_commits_and_each_is_on_the_disk_when_it_is_answered() {
        let (dir, writer) = store();
        let held = hold(&writer).await;
        let commits = async {
            let (all, ()) = futures::join!(join_all((0..300).map(|n| put(&writer, n))), async { drop(held) });
            all
        };
        for answer in commits.await {
            answer.unwrap();
        }
        // What another connection sees is what was committed.
        let other = Connection::open(dir.path().join("numbers.db")).unwrap();
        let count: i64 = other.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 300);
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_any_more_is_done_and_hurts_nobody() {
        let (_dir, writer) = store();
        let held = hold(&writer).await;
        let given_up = tokio::time::timeout(std::time::Duration::ZERO, put(&writer, 1)).await;
        assert!(given_up.is_err());
        drop(held);
        put(&writer, 2).await.unwrap();
        assert_eq!(numbers(&writer).await, [1, 2]);
    }
}
