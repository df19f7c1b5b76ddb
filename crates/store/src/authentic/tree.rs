//! The tree: 65,536 leaves under three levels of nodes, each with the digests of those below it.
//!
//! ```text
//! root (32 digests) > 32 nodes (32 digests) > 1024 nodes (64 digests) > 65,536 leaves (name | digest, sorted)
//! ```
//! What is empty is not kept, and comes to zeros. Nodes that were found to be right are remembered by their digest, so that
//! what is remembered is never out of date: whoever looks for a node knows what it has to come to.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

use super::error::Tampering;
use super::names::{Digest, Macs, Name, SHORT, short};

const READ: &str = "SELECT body FROM authentic_node WHERE node = ?1";
const WRITE: &str = "INSERT INTO authentic_node (node, body) VALUES (?1, ?2)
    ON CONFLICT (node) DO UPDATE SET body = excluded.body";
const REMOVE: &str = "DELETE FROM authentic_node WHERE node = ?1";

/// How many bits of a bucket's number are below the nodes of each level: the root's, the next, and those over leaves.
const BELOW: [u32; 3] = [11, 6, 0];
/// How many digests the nodes of each level have.
const FAN: [usize; 3] = [32, 32, 64];
/// Which level leaves are.
const LEAVES: u32 = 3;
/// Bytes of a leaf's entry.
const ENTRY: usize = 2 * SHORT;
/// What is empty comes to this.
pub(super) const EMPTY: Digest = [0; SHORT];

/// A node: its level and its number in it.
type Node = u32;

fn node(level: u32, number: u32) -> Node {
    level << 16 | number
}

/// The bucket of a name.
pub(super) fn bucket(name: &Name) -> u32 {
    let [first, second, ..] = *name;
    u32::from(first) << 8 | u32::from(second)
}

/// Where the digest of what leads to a bucket stands in the node of this level that leads there.
fn path(level: u32, bucket: u32) -> (Node, usize) {
    let at = usize::try_from(level).unwrap_or(usize::MAX);
    let (below, fan) = (
        BELOW.get(at).copied().unwrap_or(0),
        FAN.get(at).copied().unwrap_or(1),
    );
    let child = bucket >> below;
    let fan = u32::try_from(fan).unwrap_or(1);
    let place = usize::try_from(child % fan).unwrap_or(0);
    (node(level, child / fan), place)
}

fn digest_at(body: &[u8], place: usize) -> Digest {
    body.as_chunks::<SHORT>().0.get(place).copied().unwrap_or(EMPTY)
}

/// What a row is to become, from what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) was: Option<Digest>,
    pub(super) is: Option<Digest>,
}

/// What a node comes to, and holds.
type Known = (Digest, Arc<[u8]>);

/// The nodes, in a database that is not trusted.
pub(super) struct Tree {
    pub(super) macs: Arc<Macs>,
    /// Nodes above the leaves: a megabyte at most.
    known: Mutex<HashMap<Node, Known>>,
}

impl Tree {
    pub(super) fn new(macs: Arc<Macs>) -> Self {
        let known = Mutex::default();
        Self { macs, known }
    }

    fn digest(&self, node: Node, body: &[u8]) -> Digest {
        if body.iter().all(|byte| *byte == 0) {
            return EMPTY;
        }
        short(self.macs.node.of(&[&node.to_be_bytes(), body]))
    }

    /// What a node holds, which has to come to `digest`.
    fn body(&self, connection: &Connection, node: Node, digest: Digest) -> rusqlite::Result<Arc<[u8]>> {
        if digest == EMPTY {
            return Ok(Arc::default());
        }
        let is_leaf = node >> 16 == LEAVES;
        if !is_leaf {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((of, body)) = known.get(&node)
                && *of == digest
            {
                return Ok(Arc::clone(body));
            }
        }
        let mut statement = connection.prepare_cached(READ)?;
        let read = statement.query_row([node], |row| Ok(Arc::from(row.get_ref(0)?.as_blob()?)));
        let body: Arc<[u8]> = read.optional()?.unwrap_or_default();
        if self.digest(node, &body) != digest {
            return Err(Tampering::tree("the tree over the rows is not as it was written").into());
        }
        if !is_leaf {
            self.remember(node, digest, &body);
        }
        Ok(body)
    }

    fn remember(&self, node: Node, digest: Digest, body: &Arc<[u8]>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(node, (digest, Arc::clone(body)));
    }

    /// What a bucket's leaf holds, under this root.
    pub(super) fn leaf(
        &self,
        connection: &Connection,
        root: Digest,
        bucket: u32,
    ) -> rusqlite::Result<Arc<[u8]>> {
        let mut digest = root;
        for level in 0..LEAVES {
            let (node, place) = path(level, bucket);
            digest = digest_at(&self.body(connection, node, digest)?, place);
        }
        self.body(connection, node(LEAVES, bucket), digest)
    }

    /// What the row of this name has to come to, under this root; `None` if there is to be none.
    pub(super) fn entry(
        &self,
        connection: &Connection,
        root: Digest,
        name: &Name,
    ) -> rusqlite::Result<Option<Digest>> {
        let leaf = self.leaf(connection, root, bucket(name))?;
        Ok(entries(&leaf)
            .find(|(of, _)| of == name)
            .map(|(_, digest)| digest))
    }

    /// Makes of rows what they are to become, if they are what they were, and gives the new root.
    pub(super) fn update(
        &self,
        connection: &Connection,
        root: Digest,
        changes: &BTreeMap<Name, Change>,
    ) -> rusqlite::Result<Digest> {
        let mut digests = BTreeMap::new();
        let mut changes = changes.iter().peekable();
        let mut write = Writing::new(connection)?;
        // All of it is read before anything above the leaves is written.
        let mut leaves = Vec::new();
        while let Some((name, _)) = changes.peek() {
            let at = bucket(name);
            let body = self.leaf(connection, root, at)?;
            let mut rows: BTreeMap<Name, Digest> = entries(&body).collect();
            while let Some((name, change)) = changes.next_if(|(name, _)| bucket(name) == at) {
                let was = match change.is {
                    Some(is) => rows.insert(*name, is),
                    None => rows.remove(name),
                };
                if was != change.was {
                    return Err(Unlike(*name).into());
                }
            }
            leaves.push((at, joined(rows.into_iter())));
        }
        let mut nodes = BTreeMap::new();
        for (at, _) in &leaves {
            self.above(connection, root, *at, &mut nodes)?;
        }
        for (at, body) in leaves {
            let leaf = node(LEAVES, at);
            digests.insert(at, self.digest(leaf, &body));
            write.put(leaf, &body)?;
        }
        self.rise(&mut nodes, digests, &mut write)
    }

    /// The nodes above a bucket, as they are.
    fn above(
        &self,
        connection: &Connection,
        root: Digest,
        bucket: u32,
        nodes: &mut BTreeMap<Node, Vec<u8>>,
    ) -> rusqlite::Result<()> {
        let mut digest = root;
        for level in 0..LEAVES {
            let (node, place) = path(level, bucket);
            let body = match nodes.get(&node) {
                Some(body) => body,
                None => {
                    let body = self.body(connection, node, digest)?;
                    nodes.entry(node).or_insert_with(|| body.to_vec())
                }
            };
            digest = digest_at(body, place);
        }
        Ok(())
    }

    /// Writes all nodes above leaves that come to these `digests`, and gives what the root comes to.
    fn rise(
        &self,
        nodes: &mut BTreeMap<Node, Vec<u8>>,
        digests: BTreeMap<u32, Digest>,
        write: &mut Writing<'_>,
    ) -> rusqlite::Result<Digest> {
        // By a bucket below each, and what the node above it comes to.
        let mut below = digests;
        for level in (0..LEAVES).rev() {
            let mut touched: BTreeMap<Node, u32> = BTreeMap::new();
            for (bucket, digest) in &below {
                let (node, place) = path(level, *bucket);
                let body = nodes.entry(node).or_default();
                set(body, level, place, *digest);
                touched.insert(node, *bucket);
            }
            below.clear();
            for (node, bucket) in touched {
                let body: Arc<[u8]> = nodes
                    .get(&node)
                    .map(|body| Arc::from(body.as_slice()))
                    .unwrap_or_default();
                let digest = self.digest(node, &body);
                write.put(node, if digest == EMPTY { &[] } else { &body })?;
                self.remember(node, digest, &body);
                below.insert(bucket, digest);
            }
        }
        Ok(below.into_values().next().unwrap_or(EMPTY))
    }

    /// Begins anew with these rows, sorted, and gives the root.
    pub(super) fn rebuild(
        &self,
        connection: &Connection,
        rows: &[(Name, Digest)],
    ) -> rusqlite::Result<Digest> {
        connection.execute("DELETE FROM authentic_node", [])?;
        let mut write = Writing::new(connection)?;
        let mut digests = BTreeMap::new();
        for rows in rows.chunk_by(|(one, _), (other, _)| bucket(one) == bucket(other)) {
            let Some((first, _)) = rows.first() else { continue };
            let leaf = node(LEAVES, bucket(first));
            let body = joined(rows.iter().copied());
            digests.insert(bucket(first), self.digest(leaf, &body));
            write.put(leaf, &body)?;
        }
        self.rise(&mut BTreeMap::new(), digests, &mut write)
    }
}

/// A row that was about to be changed is not what the tree says it was.
#[derive(Debug, thiserror::Error)]
#[error("a row is not as it was written")]
pub(super) struct Unlike(pub(super) Name);

impl From<Unlike> for rusqlite::Error {
    fn from(unlike: Unlike) -> Self {
        Self::UserFunctionError(Box::new(unlike))
    }
}

/// The rows that a leaf names, sorted, with what they come to.
pub(super) fn entries(leaf: &[u8]) -> impl Iterator<Item = (Name, Digest)> {
    let pairs = leaf.as_chunks::<ENTRY>().0.iter();
    pairs.filter_map(|pair| {
        let (name, rest) = pair.split_first_chunk()?;
        Some((*name, *rest.first_chunk()?))
    })
}

fn joined(rows: impl Iterator<Item = (Name, Digest)>) -> Vec<u8> {
    rows.flat_map(|(name, digest)| [name, digest]).flatten().collect()
}

fn set(body: &mut Vec<u8>, level: u32, place: usize, digest: Digest) {
    let fan = usize::try_from(level)
        .ok()
        .and_then(|level| FAN.get(level))
        .copied();
    body.resize(fan.unwrap_or_default().saturating_mul(SHORT), 0);
    if let Some(at) = body.as_chunks_mut::<SHORT>().0.get_mut(place) {
        *at = digest;
    }
}

/// Writes nodes.
struct Writing<'c> {
    write: CachedStatement<'c>,
    remove: CachedStatement<'c>,
}

impl<'c> Writing<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            write: connection.prepare_cached(WRITE)?,
            remove: connection.prepare_cached(REMOVE)?,
        })
    }

    fn put(&mut self, node: Node, body: &[u8]) -> rusqlite::Result<()> {
        if body.is_empty() {
            self.remove.execute([node])?;
        } else {
            self.write.execute(params![node, body])?;
        }
        Ok(())
    }
}
