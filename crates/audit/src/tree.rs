//! The journal's Merkle tree, which grows behind what is on the disk, and the checkpoints that it is published under.
//!
//! A thread takes the hashes of records that are on the disk, at most once a second, and publishes a checkpoint of them. So
//! nothing that could still be lost is ever signed, and no request waits for the tree.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use moho_attest::log::{Checkpoint, Frontier, Tree as Hashed, TreeHash};

use crate::chain::Digest;
use crate::checkpoints::{LogIdentity, Published, Witnesses};
use crate::error::AuditError;
use crate::hashes::{Gathered, HashFiles};
use crate::mark::Mark;
use crate::offsets::Offsets;

/// At most one checkpoint in this time.
const INTERVAL: Duration = Duration::from_secs(1);
/// If witnesses are asked about each, who have other things to do.
const WITNESSED: Duration = Duration::from_secs(10);

/// A record on its way into the tree.
#[derive(Clone, Copy)]
pub(crate) struct Leaf {
    /// What stands for it, and is the log's entry.
    pub(crate) digest: Digest,
    /// Where it begins in its file.
    pub(crate) offset: u64,
}

/// The tree, for those who ask about it.
pub(crate) struct Tree {
    pub(crate) files: HashFiles,
    pub(crate) offsets: Offsets,
    pub(crate) identity: LogIdentity,
    published: RwLock<Arc<Published>>,
    /// How many entries the published tree has.
    covered: Arc<Mark>,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Why the last checkpoint could not be published.
    fault: Mutex<Option<String>>,
    /// Who is asked to cosign it.
    witnesses: OnceLock<Box<dyn Witnesses>>,
}

#[derive(Default)]
struct Queue {
    /// Records that were written, in their order.
    leaves: VecDeque<Leaf>,
    /// How many of those, counted from the first of all, are on the disk.
    durable: u64,
    /// How many were taken.
    taken: u64,
    /// Whether the thread waits for more of them.
    idle: bool,
    stopping: bool,
}

impl Tree {
    /// The tree of `grown`, of which `published` was the last checkpoint.
    pub(crate) fn new(
        (files, offsets): (HashFiles, Offsets),
        identity: LogIdentity,
        (published, size): (Published, u64),
    ) -> Arc<Self> {
        let covered = Mark::at(published.checkpoint.size);
        Arc::new(Self {
            files,
            offsets,
            identity,
            published: RwLock::new(Arc::new(published)),
            covered,
            queue: Mutex::new(Queue {
                durable: size,
                taken: size,
                ..Queue::default()
            }),
            changed: Condvar::new(),
            fault: Mutex::default(),
            witnesses: OnceLock::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A record was written; records come in their order.
    pub(crate) fn written(&self, leaf: Leaf) {
        self.lock().leaves.push_back(leaf);
    }

    /// So many records are on the disk.
    pub(crate) fn on_disk(&self, records: u64) {
        let mut queue = self.lock();
        queue.durable = queue.durable.max(records);
        let idle = std::mem::take(&mut queue.idle);
        drop(queue);
        // Between two checkpoints it looks by itself.
        if idle {
            self.changed.notify_one();
        }
    }

    /// The last checkpoint.
    pub(crate) fn published(&self) -> Arc<Published> {
        let published = self.published.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&published)
    }

    /// How many entries are published.
    pub(crate) fn covered(&self) -> &Arc<Mark> {
        &self.covered
    }

    /// Why the last checkpoint could not be published, if that failed.
    pub(crate) fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has these cosign every checkpoint from now on. Who was named first stays.
    pub(crate) fn witnessed_by(&self, witnesses: Box<dyn Witnesses>) {
        let _named_before = self.witnesses.set(witnesses);
    }

    /// Waits for records that are on the disk and takes them; `None` once there will be no more. Whoever is `owed` a checkpoint
    /// that could not be published waits for none.
    fn take(&self, owed: bool) -> Option<Vec<Leaf>> {
        let mut queue = self.lock();
        while queue.durable <= queue.taken && !queue.stopping && !owed {
            queue.idle = true;
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.idle = false;
        let count = queue.durable.saturating_sub(queue.taken);
        if count == 0 && queue.stopping {
            return None;
        }
        let count = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(queue.leaves.len());
        queue.taken = queue.taken.saturating_add(count as u64);
        Some(queue.leaves.drain(..count).collect())
    }

    /// Lets the time between two checkpoints pass, unless it is to end.
    fn pause(&self) {
        let queue = self.lock();
        let time = if self.witnesses.get().is_some() {
            WITNESSED
        } else {
            INTERVAL
        };
        let paused = self
            .changed
            .wait_timeout_while(queue, time, |queue| !queue.stopping);
        drop(paused.unwrap_or_else(PoisonError::into_inner));
    }
}

/// The tree as its one writer sees it.
pub(crate) struct Growing {
    frontier: Frontier,
    gathered: Gathered,
    offsets: Vec<(u64, u64)>,
}

impl Growing {
    pub(crate) fn from(frontier: Frontier) -> Self {
        Self {
            gathered: Gathered::behind(frontier.size()),
            frontier,
            offsets: Vec::new(),
        }
    }

    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> TreeHash {
        self.frontier.root()
    }

    pub(crate) fn push(&mut self, leaf: &Leaf) {
        let index = self.frontier.size();
        if index.is_multiple_of(crate::offsets::EACH) {
            self.offsets.push((index, leaf.offset));
        }
        let gathered = &mut self.gathered;
        gathered.digest(&leaf.digest.bytes());
        let entry = leaf.digest.tree_hash();
        self.frontier.push(entry, |part, hash| gathered.hash(part, &hash));
    }

    /// Writes what was taken; what could not be written is kept for the next time.
    pub(crate) fn write(&mut self, files: &HashFiles, offsets: &Offsets) -> Result<(), AuditError> {
        for (index, offset) in &self.offsets {
            offsets.note(*index, *offset)?;
        }
        self.offsets.clear();
        self.gathered.write(files)
    }

    pub(crate) fn checkpoint(&self, identity: &LogIdentity) -> Checkpoint {
        Checkpoint {
            origin: identity.origin.clone(),
            size: self.size(),
            root: self.root(),
        }
    }
}

/// The thread that lets the tree grow. Dropping it publishes what is on the disk.
pub(crate) struct Grower {
    tree: Arc<Tree>,
    thread: Option<JoinHandle<()>>,
}

impl Grower {
    pub(crate) fn start(tree: &Arc<Tree>, directory: &Path, mut growing: Growing) -> std::io::Result<Self> {
        let (own, directory) = (Arc::clone(tree), directory.to_owned());
        let grow = move || {
            let mut fault = None;
            while let Some(leaves) = own.take(fault.is_some()) {
                leaves.iter().for_each(|leaf| growing.push(leaf));
                fault = publish(&own, &directory, &mut growing)
                    .err()
                    .map(|error| error.to_string());
                own.fault
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone_from(&fault);
                own.pause();
            }
        };
        let thread = thread::Builder::new()
            .name("journal-tree".to_owned())
            .spawn(grow)?;
        Ok(Self {
            tree: Arc::clone(tree),
            thread: Some(thread),
        })
    }
}

/// Writes the hashes, and then the checkpoint that says so.
fn publish(tree: &Tree, directory: &Path, growing: &mut Growing) -> Result<(), AuditError> {
    growing.write(&tree.files, &tree.offsets)?;
    tree.files.sync()?;
    let mut published = Published::sign(&tree.identity, growing.checkpoint(&tree.identity))?;
    // Who is to end waits for nobody elsewhere.
    if let Some(witnesses) = tree.witnesses.get().filter(|_| !tree.lock().stopping) {
        let prove = |old| {
            Hashed::new(&tree.files)
                .consistency(old, growing.size())
                .ok()
                .flatten()
        };
        published.cosign(&**witnesses, &prove);
    }
    published.write(directory)?;
    *tree.published.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(published);
    tree.covered.reach(growing.size());
    Ok(())
}

impl Drop for Grower {
    fn drop(&mut self) {
        self.tree.lock().stopping = true;
        self.tree.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ended: thread::Result<()> = thread.join();
        }
    }
}
