//! Delivery to a log group, which keeps what it is given here.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use moho_iam::Session;
use moho_iam::authz::{Attached, Authorizer, Policies, PolicySource, PolicyUnavailable};
use moho_iam::policy::{PolicyDocument, PolicyKind};
use moho_kms::KeyRecords;
use moho_store::Store;
use moho_store::invocations::{BatchLimits, BatchTurn, InvocationBatch, LogGroup, NewInvocation};
use moho_terms::{Secret, Timestamp};
use moho_wire::invocation_log::{InvocationFacts, InvocationTokens, KeptInvocation};

use super::sink::LogSinkError;
use super::*;
use crate::closing::Closing;
use crate::config::{Config, Surroundings, Typed};
use crate::handlers::Named;
use crate::startup::jobs::{Ground, Job as _, Waiting};
use crate::startup::{self, Started};

/// The store's policies, and those of keys let the service do everything.
struct Lenient(Arc<Store>);

impl PolicySource for Lenient {
    fn policies(
        &self,
        session: &Session,
        action: &str,
        resource: &Arn,
    ) -> Result<Policies, PolicyUnavailable> {
        let text = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*",
            "Principal":{"Service":"bedrock.amazonaws.com"}}]}"#;
        let document = PolicyDocument::parse(PolicyKind::Key, text).unwrap();
        Ok(Policies {
            resource: Some(Attached::new("lenient", Arc::new(document))),
            ..self.0.policies(session, action, resource)?
        })
    }
}

/// Log groups of one name, in memory.
struct Groups {
    key: Arn,
    refuses: AtomicBool,
    kept: Mutex<Vec<(String, String)>>,
}

impl LogSink for Groups {
    fn key(&self, _account: AccountId, to: &LogGroup) -> Result<Option<Arn>, LogSinkError> {
        Ok((to.group == "calls").then(|| self.key.clone()))
    }

    fn check(&self, _account: AccountId, _to: &LogGroup) -> Result<(), LogSinkError> {
        Ok(())
    }

    fn put(
        &self,
        _batch: &InvocationBatch,
        to: &LogGroup,
        events: &[ContentBytes],
    ) -> Result<(), LogSinkError> {
        if self.refuses.load(Ordering::SeqCst) || to.role.as_str().contains("/Closed") {
            return Err("it is full".into());
        }
        let texts = events
            .iter()
            .map(|event| std::str::from_utf8(event.expose()).unwrap());
        let events = texts.map(|text| (to.group.clone(), text.to_owned()));
        self.kept.lock().unwrap().extend(events);
        Ok(())
    }
}

struct Rig {
    platform: Arc<startup::Platform>,
    groups: Arc<Groups>,
    log: Arc<InvocationLog>,
    folder: tempfile::TempDir,
    _locks: (moho_os::FileLock, moho_os::FileLock),
}

impl Rig {
    fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let surroundings = Surroundings {
            cores: 1,
            data_home: Some(folder.path().to_owned()),
        };
        let config = Config::resolve(&Typed::default(), &surroundings).unwrap();
        let started = startup::open(&config, &mut |_, _, _| {}).unwrap();
        let Started {
            mut platform, locks, ..
        } = started;
        // It takes records as these tests do, and by policies that let it not.
        Arc::get_mut(&mut platform).unwrap()._jobs.end();
        let groups = Arc::new(Groups {
            key: platform.store.account_key(platform.account).unwrap().unwrap(),
            refuses: AtomicBool::new(true),
            kept: Mutex::default(),
        });
        let policies = Arc::new(Lenient(Arc::clone(&platform.store)));
        let clock = Arc::clone(&platform.clock);
        let backing = Backing {
            store: Arc::clone(&platform.store),
            kms: Arc::clone(&platform.kms),
            authorizer: Arc::new(Authorizer::new(
                policies,
                Arc::clone(&platform.journal) as _,
                clock,
            )),
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
            region: platform.region.clone(),
        };
        let services = OwnServices::of_installation(&Secret::new(vec![7; 32])).unwrap();
        let log = InvocationLog::new(
            backing,
            (services, &platform.recording),
            &platform.objects,
            &Arc::default(),
            Arc::clone(&groups) as _,
        );
        Self {
            log: Arc::new(log),
            platform,
            groups,
            folder,
            _locks: locks,
        }
    }

    /// A record that has waited for long.
    fn keep(&self, words: &str) -> RequestId {
        self.keep_for("Logs", words)
    }

    fn keep_for(&self, role: &str, words: &str) -> RequestId {
        let (platform, account) = (&self.platform, self.platform.account);
        let request = RequestId::random(&*platform.entropy).unwrap();
        let destination = in_role(role);
        let key = self.log.key_of(account, &destination).unwrap();
        let facts = InvocationFacts {
            time: platform.clock.now(),
            account,
            identity: &key,
            region: &platform.region,
            request: &request,
            operation: "Converse",
            model: "m",
            tokens: InvocationTokens::default(),
            failure: None,
        };
        let record = KeptInvocation::written(&facts, None, (format!("{words:?}").as_bytes(), b""));
        let new = NewInvocation {
            destination: &destination,
            key: &self.log.on_key(account, &key, &request).unwrap(),
            record: &record,
        };
        let long_ago = Timestamp::from_unix_seconds(platform.clock.now().unix_seconds() - 60);
        let kept = platform.store.keep_invocations(&platform.kms, &[new], long_ago);
        kept.unwrap();
        request
    }

    fn job(&self) -> DeliverInvocations {
        let platform = &self.platform;
        let ground = Ground {
            store: Arc::clone(&platform.store),
            journal: Arc::clone(&platform.journal) as _,
            region: platform.region.clone(),
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
            restored: Arc::clone(&platform.restored),
            events: Arc::clone(&platform.events),
        };
        DeliverInvocations::new(Arc::clone(&self.log), ground, tokio::runtime::Handle::current())
    }
}

/// The log group, written to in a role.
fn in_role(role: &str) -> InvocationDestination {
    InvocationDestination::Group(LogGroup {
        group: "calls".to_owned(),
        role: format!("arn:aws:iam::123456789012:role/{role}").parse().unwrap(),
        large: None,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_much_that_fails_delays_others_by_one_try_only() {
    let rig = Rig::open();
    rig.groups.refuses.store(false, Ordering::SeqCst);
    let (store, now) = (&rig.platform.store, rig.platform.clock.now());
    let limits = BatchLimits {
        records: 9,
        bytes: 1 << 20,
        patience: 1,
        lease: 1,
        longest: 300,
    };
    for number in 0..4 {
        rig.keep_for(&format!("Closed{number}"), "one");
        let named = (format!("{number}"), BatchTurn::New);
        let batch = store.next_invocations(now, limits, (&named.0, named.1)).unwrap();
        store.invocations_failed(&batch.unwrap(), now).unwrap();
    }
    rig.keep("two");
    let (mut job, (_stop, stopped), closing) = (rig.job(), channel(), Closing::new());
    let waiting = Waiting::until(&stopped, &closing);
    // Whosever turn it was.
    job.turn = BatchTurn::Again;
    let done = [(); 2].map(|()| job.step(&waiting).unwrap().done);
    assert_eq!(done, [0, 1]);
    assert_eq!(rig.groups.kept.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_records_on_as_many_ways_as_may_no_call_begins_another() {
    let rig = Rig::open();
    let account = rig.platform.account;
    for number in 0..WAYS {
        rig.keep_for(&format!("Closed{number}"), "one");
    }
    let permitted = |role: &str| {
        let called = Called {
            time: rig.platform.clock.now(),
            account,
            identity: rig.groups.key.clone(),
            request: RequestId::random(&*rig.platform.entropy).unwrap(),
            operation: "Converse",
            shape: ErrorShape::OpenAi,
            destinations: vec![in_role(role)],
            metadata: None,
        };
        let named = Named {
            model: "m".parse().unwrap(),
            profile: None,
        };
        let call = Invocation::begin(&rig.log, called, None).unwrap();
        call.permitted(&named)
    };
    assert!(permitted("Closed0").is_ok());
    let refused = permitted("Logs");
    assert!(matches!(refused, Err(Failure::Service { status: 503, .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_log_group_refuses_is_put_again_and_what_it_took_is_not() {
    let rig = Rig::open();
    let requests = [rig.keep("one"), rig.keep("two")];
    let (mut job, (_stop, stopped), closing) = (rig.job(), channel(), Closing::new());
    let waiting = Waiting::until(&stopped, &closing);
    let stepped = job.step(&waiting).unwrap();
    assert_eq!(
        (
            stepped.done,
            rig.platform.store.invocation_backlog().unwrap().records
        ),
        (0, 2)
    );
    assert!(rig.groups.kept.lock().unwrap().is_empty());

    rig.groups.refuses.store(false, Ordering::SeqCst);
    // It is tried again a second later.
    let delivered = loop {
        let stepped = job.step(&waiting).unwrap();
        if stepped.done > 0 {
            break stepped.done;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!((delivered, job.step(&waiting).unwrap().done), (2, 0));
    let kept = rig.groups.kept.lock().unwrap();
    assert_eq!(kept.len(), 2);
    for ((place, message), (request, words)) in kept.iter().zip(requests.iter().zip(["one", "two"])) {
        assert_eq!(place, "calls");
        assert!(message.contains(request.as_str()), "{message}");
        assert!(
            message.contains(&format!("\"inputBodyJson\":\"{words}\"")),
            "{message}"
        );
    }
    assert_eq!(rig.platform.store.invocation_backlog().unwrap().records, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_has_no_place_is_told_by_its_size() {
    let rig = Rig::open();
    rig.groups.refuses.store(false, Ordering::SeqCst);
    rig.keep(&"x".repeat(200 << 10));
    rig.keep("short");
    let (mut job, (_stop, stopped), closing) = (rig.job(), channel(), Closing::new());
    assert_eq!(job.step(&Waiting::until(&stopped, &closing)).unwrap().done, 2);
    let kept = rig.groups.kept.lock().unwrap();
    assert!(
        kept[0].1.contains(r#","inputBodyOmittedBytes":204802}"#),
        "{}",
        kept[0].1
    );
    assert!(
        kept[1].1.contains(r#","inputBodyJson":"short"}"#),
        "{}",
        kept[1].1
    );
    assert_eq!(rig.log.meters.bodies_left_out(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_as_much_waiting_as_may_no_more_calls_begin() {
    let mut rig = Rig::open();
    let account = rig.platform.account;
    rig.keep("one");
    let waiting = rig.platform.store.invocation_bytes_waiting(account).unwrap();
    let log = Arc::get_mut(&mut rig.log).unwrap();
    log.most_waiting = waiting + 1;
    assert!(log.room_left(account).is_ok());
    rig.keep("two");
    let named = Named {
        model: "m".parse().unwrap(),
        profile: None,
    };
    let called = Called {
        time: rig.platform.clock.now(),
        account,
        identity: rig.groups.key.clone(),
        request: RequestId::random(&*rig.platform.entropy).unwrap(),
        operation: "Converse",
        shape: ErrorShape::OpenAi,
        destinations: Vec::new(),
        metadata: None,
    };
    let call = Invocation::begin(&rig.log, called, None).unwrap();
    let refused = call.permitted(&named);
    assert!(matches!(refused, Err(Failure::Service { status: 503, .. })));
    let other = "999999999999".parse().unwrap();
    assert!(
        rig.log.room_left(other).is_ok(),
        "another account waits for nobody"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn records_go_with_their_key_and_the_journal_says_so() {
    let rig = Rig::open();
    rig.keep("one");
    rig.keep("two");
    let store = &*rig.platform.store;
    let id = rig
        .groups
        .key
        .resource()
        .trim_start_matches("key/")
        .parse()
        .unwrap();
    let kept = KeyRecords::get(store, &id).unwrap().unwrap();
    assert!(KeyRecords::remove(store, &id, kept.revision).unwrap());
    let (mut job, (_stop, stopped), closing) = (rig.job(), channel(), Closing::new());
    let stepped = job.step(&Waiting::until(&stopped, &closing)).unwrap();
    assert_eq!((stepped.done, stepped.findings), (0, 2));
    assert_eq!(store.invocation_backlog().unwrap().records, 0);
    let mut journal = String::new();
    for file in std::fs::read_dir(rig.folder.path().join("moho/journal")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        journal.push_str(&String::from_utf8_lossy(&bytes));
    }
    let line = journal
        .lines()
        .find(|line| line.contains("InvocationLog:Shred"))
        .unwrap();
    assert!(
        line.contains(r#""keys":2"#) && line.contains(rig.groups.key.as_str()),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_not_there_is_no_destination() {
    let rig = Rig::open();
    let destination = InvocationDestination::Group(LogGroup {
        group: "others".to_owned(),
        role: "arn:aws:iam::123456789012:role/Logs".parse().unwrap(),
        large: None,
    });
    let refused = rig.log.key_of(rig.platform.account, &destination);
    assert!(matches!(
        refused,
        Err(LogError::Destination(NoDestination::Group))
    ));
}
