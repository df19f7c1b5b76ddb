//! Rotations that are stopped anywhere, watched by servers that go on: no key is ever lost, and none is left behind.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use moho_terms::Timestamp;

use super::super::tests::Counter;
use super::*;
use crate::material::{Part, unwrap, wrap};
use crate::record::{KeyState, Material, MaterialId, MaterialState};
use crate::spec::{KeySpec, KeyUsage, Origin};

type Meddler = Box<dyn FnOnce() + Send>;

/// Keys in memory, and somebody who may change one between a look at it and its replacement.
#[derive(Default)]
pub(super) struct World {
    pub(super) keys: Mutex<BTreeMap<String, Arc<KeptKey>>>,
    meddler: Mutex<Option<Meddler>>,
}

impl KeyRecords for World {
    fn get(&self, id: &KeyId) -> Result<Option<Arc<KeptKey>>, RecordsUnavailable> {
        Ok(self.keys.lock().unwrap().get(id.as_str()).cloned())
    }

    fn list(
        &self,
        _: moho_terms::AccountId,
        _: Option<&KeyId>,
        _: usize,
    ) -> Result<Vec<Arc<KeptKey>>, RecordsUnavailable> {
        Err(RecordsUnavailable::new("not asked for"))
    }

    fn all(&self, after: Option<&KeyId>, limit: usize) -> Result<Vec<Arc<KeptKey>>, RecordsUnavailable> {
        let keys = self.keys.lock().unwrap();
        let after = after.map_or("", KeyId::as_str);
        let later = keys.iter().filter(|(id, _)| id.as_str() > after);
        Ok(later.map(|(_, key)| Arc::clone(key)).take(limit).collect())
    }

    fn add(&self, key: &KeptKey, _most: usize) -> Result<bool, RecordsUnavailable> {
        let mut keys = self.keys.lock().unwrap();
        keys.insert(key.key_id.as_str().to_owned(), Arc::new(key.clone()));
        Ok(true)
    }

    fn replace(&self, key: &KeptKey, was: u64) -> Result<bool, RecordsUnavailable> {
        let meddler = self.meddler.lock().unwrap().take();
        if let Some(meddler) = meddler {
            meddler();
        }
        let mut keys = self.keys.lock().unwrap();
        match keys.get_mut(key.key_id.as_str()) {
            Some(place) if place.revision == was => {
                *place = Arc::new(key.clone());
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn remove(&self, _: &KeyId, _: u64) -> Result<bool, RecordsUnavailable> {
        Err(RecordsUnavailable::new("not asked for"))
    }

    fn due(
        &self,
        _: Timestamp,
        _: Option<&(Timestamp, KeyId)>,
        _: usize,
    ) -> Result<Vec<(Timestamp, KeyId)>, RecordsUnavailable> {
        Err(RecordsUnavailable::new("not asked for"))
    }
}

pub(super) struct House {
    directory: tempfile::TempDir,
    pub(super) entropy: Counter,
    pub(super) world: World,
}

/// The material of each key, to tell whether it still is what it was.
fn material_of(id: &KeyId) -> Vec<u8> {
    id.as_str().as_bytes().iter().cycle().take(32).copied().collect()
}

impl House {
    pub(super) fn with_keys(count: usize) -> Self {
        let house = Self {
            directory: tempfile::tempdir().unwrap(),
            entropy: Counter::default(),
            world: World::default(),
        };
        let root = house.root();
        for _ in 0..count {
            house.add_key(&root);
        }
        house
    }

    pub(super) fn path(&self) -> PathBuf {
        self.directory.path().join("root.key")
    }

    /// As another process has it.
    pub(super) fn root(&self) -> RootKey {
        RootKey::development(&self.path(), &self.entropy).unwrap()
    }

    /// The keys there are, in the order of their ids.
    fn ids(&self) -> Vec<KeyId> {
        let keys = self.world.keys.lock().unwrap();
        keys.keys().map(|id| id.parse().unwrap()).collect()
    }

    fn add_key(&self, root: &RootKey) -> KeyId {
        let mut record = KeyRecord {
            key_id: KeyId::random(&self.entropy).unwrap(),
            account: "123456789012".parse().unwrap(),
            region: "moho-local-1".parse().unwrap(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            origin: Origin::AwsKms,
            description: String::new(),
            policy: String::new(),
            principals: BTreeMap::new(),
            tags: BTreeMap::new(),
            created_at: Timestamp::from_unix_seconds(1_795_312_800),
            state: KeyState::Enabled,
            revision: 1,
            materials: Vec::new(),
            rotation: None,
            on_demand_rotations: 0,
        };
        let id = MaterialId::new([7; 32]);
        let part = |part| {
            let plain = material_of(&record.key_id);
            Some(
                wrap(
                    &record,
                    (part, &id),
                    &plain,
                    (root.ring().current(), &self.entropy),
                )
                .unwrap(),
            )
        };
        let material = Material {
            id,
            state: MaterialState::Current,
            created_at: record.created_at,
            rotated: None,
            description: None,
            valid_to: None,
            wrapped: part(Part::Material),
            digest: part(Part::Digest),
        };
        record.materials.push(material);
        let key = encode(&record, (root, &self.entropy)).unwrap();
        self.world.add(&key, 1).unwrap();
        record.key_id
    }

    /// All keys, as a process that has `root` open reads them.
    pub(super) fn readable(&self, root: &RootKey) -> Result<usize, KmsError> {
        let keys: Vec<_> = self.world.keys.lock().unwrap().values().cloned().collect();
        for kept in &keys {
            let record = verify(kept, root)?;
            let material = &record.materials[0];
            for (part, wrapped) in [
                (Part::Material, &material.wrapped),
                (Part::Digest, &material.digest),
            ] {
                let plain = unwrap(&record, (part, &material.id), wrapped.as_ref().unwrap(), root)?;
                assert_eq!(*plain, material_of(&record.key_id));
            }
        }
        Ok(keys.len())
    }

    /// Changes a key as a server does, on top of what others did.
    fn change(&self, id: &KeyId, root: &RootKey) {
        loop {
            let kept = self.world.get(id).unwrap().unwrap();
            let mut record = verify(&kept, root).unwrap();
            record.description.push('x');
            record.revision += 1;
            let key = encode(&record, (root, &self.entropy)).unwrap();
            if self.world.replace(&key, kept.revision).unwrap() {
                return;
            }
        }
    }

    pub(super) fn alter(&self, id: &KeyId, change: impl FnOnce(&mut Vec<u8>)) {
        let mut keys = self.world.keys.lock().unwrap();
        let place = keys.get_mut(id.as_str()).unwrap();
        let mut key = KeptKey::clone(place);
        change(&mut key.record);
        *place = Arc::new(key);
    }

    pub(super) fn rotate(&self, wish: RootRotationWish) -> Result<usize, RootRotationError> {
        let root = self.root();
        RootRotation::new(&root, &self.world, &self.entropy).run(wish, &mut |_| ControlFlow::Continue(()))
    }

    /// Rotates until `steps` steps are done, as if killed then.
    pub(super) fn rotate_until(&self, steps: usize) -> Result<usize, RootRotationError> {
        let (root, mut done) = (self.root(), 0);
        RootRotation::new(&root, &self.world, &self.entropy).run(RootRotationWish::default(), &mut |_| {
            done += 1;
            if done > steps {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })
    }

    /// The fingerprints that keys are under.
    fn in_use(&self) -> Vec<Vec<u8>> {
        let keys = self.world.keys.lock().unwrap();
        let mut used: Vec<Vec<u8>> = keys.values().map(|key| key.record[1..17].to_vec()).collect();
        used.sort();
        used.dedup();
        used
    }
}

fn fingerprint(root: &RootKey) -> Vec<u8> {
    root.ring().current().fingerprint().to_vec()
}

#[test]
fn every_key_comes_under_the_new_root_and_the_old_one_leaves() {
    let house = House::with_keys(250);
    let before = house.root();
    let mut steps = Vec::new();
    let rotated = RootRotation::new(&before, &house.world, &house.entropy)
        .run(RootRotationWish::default(), &mut |step| {
            steps.push(step);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(rotated, 250);
    assert_eq!(steps[0], RootRotationStep::Begun { resumed: false });
    assert_eq!(steps[250], RootRotationStep::Rewrapped { keys: 250 });
    assert_eq!(steps[251..], [RootRotationStep::Ended]);
    let after = house.root();
    assert!(after.ring().previous().is_empty());
    assert_eq!(house.in_use(), [fingerprint(&after)]);
    assert_eq!(house.readable(&after).unwrap(), 250);
    assert_eq!(
        before.derive("sessions").unwrap().expose(),
        after.derive("sessions").unwrap().expose()
    );
}

/// A process that is killed leaves what it has done. Whatever that is: those who run go on reading and writing, those
/// who start read everything, and the next rotation ends with one root and every key under it.
#[test]
fn a_rotation_killed_after_any_step_harms_nobody_and_is_finished_by_the_next() {
    for steps in 0..=8 {
        let house = House::with_keys(6);
        let running = house.root();
        let first = fingerprint(&running);
        let killed = house.rotate_until(steps);
        assert_eq!(
            killed.is_ok(),
            steps == 8,
            "{steps}: a rotation of six keys has eight steps"
        );
        assert_eq!(house.readable(&running).unwrap(), 6, "{steps}");
        let started = house.root();
        assert_eq!(house.readable(&started).unwrap(), 6, "{steps}");
        let added = house.add_key(&running);
        house.change(&added, &started);
        let of_the_first = house.world.get(&added).unwrap().unwrap();
        assert_ne!(
            of_the_first.record[1..17],
            first,
            "{steps}: nothing is put under a root that leaves"
        );
        // Stopped at the last step, the old root has left, and this is another rotation.
        let anew = steps >= 7;
        assert_eq!(
            house.rotate(RootRotationWish::default()).unwrap(),
            if anew { 7 } else { 6 - steps },
            "{steps}"
        );
        let after = house.root();
        assert!(after.ring().previous().is_empty(), "{steps}");
        assert_eq!(house.in_use(), [fingerprint(&after)], "{steps}");
        for root in [&running, &started, &after] {
            assert_eq!(house.readable(root).unwrap(), 7, "{steps}");
        }
    }
}

#[test]
fn what_others_change_meanwhile_is_neither_lost_nor_left_behind() {
    let house = Arc::new(House::with_keys(3));
    let id = house.ids().swap_remove(0);
    let (other, changed) = (Arc::downgrade(&house), id.clone());
    *house.world.meddler.lock().unwrap() = Some(Box::new(move || {
        let house = other.upgrade().unwrap();
        house.change(&changed, &house.root());
    }));
    let root = house.root();
    let mut again = 0;
    RootRotation::new(&root, &house.world, &house.entropy)
        .run(RootRotationWish::default(), &mut |step| {
            again += usize::from(step == RootRotationStep::Again);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(again, 1);
    let kept = house.world.get(&id).unwrap().unwrap();
    assert_eq!(verify(&kept, &root).unwrap().description, "x");
    assert_eq!(house.in_use(), [fingerprint(&root)]);
}

#[test]
fn servers_that_write_all_the_time_lose_nothing() {
    let house = House::with_keys(20);
    let ids = house.ids();
    let ended = AtomicBool::new(false);
    let changes = std::thread::scope(|scope| {
        let server = || {
            let (root, mut changes) = (house.root(), 0_usize);
            loop {
                let last = ended.load(Ordering::Relaxed);
                for id in &ids {
                    house.change(id, &root);
                    changes += 1;
                }
                assert!(house.readable(&root).is_ok());
                if last {
                    return changes;
                }
            }
        };
        let servers = [scope.spawn(server), scope.spawn(server)];
        for _ in 0..5 {
            house.rotate(RootRotationWish::default()).unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        servers.map(|server| server.join().unwrap()).iter().sum::<usize>()
    });
    let root = house.root();
    assert_eq!(house.readable(&root).unwrap(), 20);
    assert_eq!(house.in_use(), [fingerprint(&root)]);
    let kept: Vec<_> = house.world.keys.lock().unwrap().values().cloned().collect();
    let made: usize = kept
        .iter()
        .map(|kept| verify(kept, &root).unwrap().description.len())
        .sum();
    assert_eq!(made, changes);
}

#[test]
fn a_damaged_key_keeps_the_old_root_until_it_is_whole_or_given_up() {
    let house = House::with_keys(3);
    let id = house.ids().swap_remove(1);
    house.alter(&id, |record| record[60] ^= 1);
    for _ in 0..2 {
        match house.rotate(RootRotationWish::default()) {
            Err(RootRotationError::Damaged(keys)) => assert_eq!(keys, std::slice::from_ref(&id)),
            other => panic!("{other:?}"),
        }
        assert_eq!(
            house.root().ring().previous().len(),
            1,
            "it goes on with the same rotation"
        );
    }
    let given_up = House::with_keys(1);
    let only = given_up.ids().swap_remove(0);
    given_up.alter(&only, |record| record[60] ^= 1);
    let wish = RootRotationWish {
        give_up_damaged: true,
        ..RootRotationWish::default()
    };
    assert_eq!(given_up.rotate(wish).unwrap(), 0);
    assert!(given_up.root().ring().previous().is_empty());
    house.alter(&id, |record| record[60] ^= 1);
    assert_eq!(house.rotate(RootRotationWish::default()).unwrap(), 1);
    assert_eq!(house.readable(&house.root()).unwrap(), 3);
    assert!(house.root().ring().previous().is_empty());
}

#[test]
fn keys_of_another_installation_stop_nothing() {
    let house = House::with_keys(2);
    let id = house.ids().swap_remove(0);
    house.alter(&id, |record| record[5] ^= 1);
    assert_eq!(house.rotate(RootRotationWish::default()).unwrap(), 1);
    let other = house.readable(&house.root());
    assert!(matches!(other, Err(KmsError::OtherRoot(_))));
}

#[test]
fn a_new_seed_comes_only_when_it_is_wished_for() {
    let house = House::with_keys(1);
    let sessions = || house.root().derive("sessions").unwrap().expose().to_vec();
    let before = sessions();
    assert!(matches!(house.rotate_until(0), Err(RootRotationError::Stopped)));
    assert_eq!(sessions(), before);
    let wish = RootRotationWish {
        new_seed: true,
        ..RootRotationWish::default()
    };
    house.rotate(wish).unwrap();
    assert_ne!(
        sessions(),
        before,
        "also when it goes on with one that was begun without"
    );
    assert_eq!(house.readable(&house.root()).unwrap(), 1);
}

#[test]
fn one_rotation_at_a_time() {
    let house = House::with_keys(1);
    let root = house.root();
    let held = root.rotating().unwrap();
    assert!(matches!(
        house.rotate(RootRotationWish::default()),
        Err(RootRotationError::Root(RootKeyError::Lock(_)))
    ));
    drop(held);
    assert_eq!(house.rotate(RootRotationWish::default()).unwrap(), 1);
}
