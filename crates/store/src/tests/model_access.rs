//! Agreements, profiles, counters of quotas and usage: what is kept, for whom, and for how long.

use std::collections::BTreeMap;

use moho_iam::action::{bedrock, mantle};
use moho_iam::authz::PolicySource;
use proptest::prelude::*;

use super::*;
use crate::*;

const DAY: u64 = 86_400;
const NOW: u64 = 1_795_312_800;

fn account_arn(house: &House, service: &str, resource: &str) -> Arn {
    Arn::of(service, region().as_str(), house.first.account.as_str(), resource).unwrap()
}

fn model_arn(id: &str) -> Arn {
    Arn::of(
        "bedrock",
        region().as_str(),
        "",
        &format!("foundation-model/{id}"),
    )
    .unwrap()
}

fn new_profile(id: &str, token: Option<(&str, u8)>) -> NewInferenceProfile {
    NewInferenceProfile {
        id: model(id),
        name: "app".to_owned(),
        description: None,
        model: model("granted"),
        tags: BTreeMap::from([("team".to_owned(), "red".to_owned())]),
        token: token.map(|(token, asked)| (token.to_owned(), [asked; 32])),
    }
}

#[test]
fn an_agreement_bites_at_once_and_stays_ended_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let (store, account, now) = (&house.store, house.first.account, house.world.now());
    let granted = model("granted");
    assert!(store.model_agreed(account, &granted).unwrap());
    let end = house.permit::<bedrock::DeleteFoundationModelAgreement>(&admin, &model_arn("granted"));
    assert!(store.end_model_agreement(&end, &granted, now).unwrap());
    assert!(!store.model_agreed(account, &granted).unwrap());
    assert!(!store.end_model_agreement(&end, &granted, now).unwrap());
    let plan = BootstrapPlan::new(region(), vec![granted.clone(), model("new")], &*house.world).unwrap();
    store.ensure_bootstrap(&door(), &house.kms, &plan, now).unwrap();
    assert!(
        !store.model_agreed(account, &granted).unwrap(),
        "the account has ended it"
    );
    assert!(store.model_agreed(account, &model("new")).unwrap());
    let accept = house.permit::<bedrock::CreateFoundationModelAgreement>(&admin, &model_arn("granted"));
    assert!(store.accept_model_agreement(&accept, &granted, now).unwrap());
    assert!(!store.accept_model_agreement(&accept, &granted, now).unwrap());
    assert!(store.model_agreed(account, &granted).unwrap());
}

#[test]
fn a_profile_is_its_account_s_and_its_tags_are_seen_by_policies() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let (store, account, now) = (&house.store, house.first.account, house.world.now());
    let any = account_arn(&house, "bedrock", "application-inference-profile/*");
    let create = house.permit::<bedrock::CreateInferenceProfile>(&admin, &any);
    let make = |new: &NewInferenceProfile| store.create_inference_profile(&create, new, now).unwrap();
    let one = model("aaaaaaaaaaaa");
    assert_eq!(
        make(&new_profile("aaaaaaaaaaaa", Some(("t", 1)))),
        ProfileMade::There(one.clone())
    );
    assert_eq!(
        make(&new_profile("bbbbbbbbbbbb", Some(("t", 1)))),
        ProfileMade::There(one.clone())
    );
    assert_eq!(
        make(&new_profile("cccccccccccc", Some(("t", 2)))),
        ProfileMade::Conflict
    );
    assert_eq!(
        store.inference_profile(account, &one).unwrap().unwrap().model,
        model("granted")
    );
    let stranger = "999999999999".parse().unwrap();
    assert_eq!(store.inference_profile(stranger, &one).unwrap(), None);
    let arn = account_arn(&house, "bedrock", "application-inference-profile/aaaaaaaaaaaa");
    let tags = || {
        store
            .policies(admin.session(), "bedrock:InvokeModel", &arn)
            .unwrap()
            .resource_facts
            .tags
            .clone()
    };
    assert_eq!(tags().get("team").map(String::as_str), Some("red"));
    let outsider = door().admit(7, 7, stranger, now).unwrap();
    let seen = store.policies(outsider.session(), "bedrock:InvokeModel", &arn);
    assert!(seen.unwrap().resource_facts.tags.is_empty());
    let tag = house.permit::<bedrock::TagResource>(&admin, &arn);
    let blue = BTreeMap::from([("team".to_owned(), "blue".to_owned())]);
    assert_eq!(
        store.tag_inference_profile(&tag, &one, &blue).unwrap(),
        Tagged::Done
    );
    assert_eq!(tags(), blue);
    // Conditions could not tell them apart.
    let team = BTreeMap::from([("Team".to_owned(), "red".to_owned())]);
    let kept = store.tag_inference_profile(&tag, &one, &team).unwrap();
    assert_eq!((kept, tags()), (Tagged::OtherCase, blue.clone()));
    let many = (0..50)
        .map(|number| (number.to_string(), String::new()))
        .collect();
    assert_eq!(
        store.tag_inference_profile(&tag, &one, &many).unwrap(),
        Tagged::TooMany
    );
    assert_eq!(
        store
            .tag_inference_profile(&tag, &model("absent"), &blue)
            .unwrap(),
        Tagged::Absent
    );
    let delete = house.permit::<bedrock::DeleteInferenceProfile>(&admin, &arn);
    assert!(store.delete_inference_profile(&delete, &one).unwrap());
    assert!(!store.delete_inference_profile(&delete, &one).unwrap());
    assert_eq!(store.inference_profile_tags(account, &one).unwrap(), None);
    assert!(tags().is_empty());
}

#[test]
fn an_account_has_a_thousand_profiles_at_most() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let any = account_arn(&house, "bedrock", "application-inference-profile/*");
    let create = house.permit::<bedrock::CreateInferenceProfile>(&admin, &any);
    house
        .store
        .database
        .write(|transaction| {
            let insert = "INSERT INTO inference_profile
                WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 998)
                SELECT ?1, 'p' || i, 'app', NULL, 'granted', 0, NULL, NULL FROM n";
            transaction.execute(insert, [house.first.account.as_str()])
        })
        .unwrap();
    let now = house.world.now();
    let make = |id| {
        house
            .store
            .create_inference_profile(&create, &new_profile(id, None), now)
            .unwrap()
    };
    assert!(matches!(make("aaaaaaaaaaaa"), ProfileMade::There(_)));
    assert_eq!(make("bbbbbbbbbbbb"), ProfileMade::Full);
    let list = house.permit(&admin, &account_arn(&house, "bedrock", "*"));
    let page = house.store.inference_profiles(&list, "", 3).unwrap();
    let next = house
        .store
        .inference_profiles(&list, page[2].id.as_str(), 2000)
        .unwrap();
    assert_eq!((page.len(), next.len()), (3, 997));
}

#[test]
fn a_use_case_is_sealed_and_the_last_one_counts() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let context = use_case_context(house.first.account).unwrap().condition_keys();
    let anything = account_arn(&house, "bedrock", "*");
    let key = || {
        let facts = house.facts();
        house
            .authorizer
            .authorize(&admin, &facts, &house.first.account_key, &context)
            .unwrap()
    };
    let (put, get) = (house.permit(&admin, &anything), house.permit(&admin, &anything));
    let opened = || {
        house
            .store
            .use_case(&get, &key_to_open(&house, &admin, &context), &house.kms)
            .unwrap()
    };
    assert!(opened().is_none());
    for form in ["zanzibar one", "zanzibar two"] {
        let form = ContentBytes::new(form.as_bytes().to_vec());
        house
            .store
            .put_use_case((&put, &key()), &house.kms, &form, house.world.now())
            .unwrap();
    }
    assert_eq!(opened().unwrap().expose(), b"zanzibar two");
    for file in std::fs::read_dir(directory.path().join("store")).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(8).any(|window| window == b"zanzibar"));
    }
}

fn key_to_open(house: &House, admin: &Authenticated, context: &Context) -> Permit<kms::Decrypt> {
    let facts = house.facts();
    house
        .authorizer
        .authorize(admin, &facts, &house.first.account_key, context)
        .unwrap()
}

fn counter(number: u8, requests: u64) -> QuotaCounter {
    QuotaCounter {
        counter: [number; 16],
        requests,
        input: 2,
        output: 3,
    }
}

#[test]
fn counters_are_of_one_day() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let store = &house.store;
    let both = [counter(1, 5), counter(2, 6)];
    assert!(store.put_quota_counters(7, &both).unwrap().is_empty());
    store.put_quota_counters(7, &[counter(1, 4)]).unwrap();
    assert_eq!(store.quota_counter(7, [1; 16]).unwrap(), Some(counter(1, 4)));
    assert_eq!(store.quota_counter(7, [2; 16]).unwrap(), Some(counter(2, 6)));
    assert_eq!(store.quota_counter(8, [1; 16]).unwrap(), None);
    store.put_quota_counters(8, &[counter(3, u64::MAX)]).unwrap();
    let most = store.quota_counter(8, [3; 16]).unwrap().unwrap().requests;
    assert_eq!(most, i64::MAX.unsigned_abs());
}

#[test]
fn a_clock_that_was_ahead_costs_no_counters_of_today() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let store = &house.store;
    let kept = || [6, 7, 30].map(|day| store.quota_counter(day, [1; 16]).unwrap().is_some());
    store.put_quota_counters(6, &[counter(1, 1)]).unwrap();
    store.put_quota_counters(7, &[counter(1, 1)]).unwrap();
    store.forget_quota_counters(7).unwrap();
    assert_eq!(kept(), [true, true, false]);
    store.put_quota_counters(30, &[counter(1, 1)]).unwrap();
    for _ in 0..3 {
        store.forget_quota_counters(30).unwrap();
    }
    assert_eq!(kept(), [false, true, true]);
    store.forget_quota_counters(7).unwrap();
    assert_eq!(kept(), [false, true, true]);
}

#[test]
fn one_group_of_counters_leaves_room_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let in_group = |group: u8, number: u8| {
        let mut counter = counter(number, 1);
        counter.counter[..4].copy_from_slice(&[group; 4]);
        counter
    };
    let put = |counters: &[QuotaCounter]| house.store.put_counters(7, counters, (5, 3)).unwrap();
    let many = [1, 2, 3, 4].map(|number| in_group(u8::MAX, number));
    assert_eq!(put(&many), [many[3].counter]);
    assert_eq!(put(&many), [many[3].counter]);
    let others = [1, 2, 3].map(|number| in_group(0, number));
    assert_eq!(put(&others), [others[2].counter], "there may be five in all");
    assert!(put(&many[..3]).is_empty(), "those that are there are set");
    let next_day = house.store.put_counters(8, &many[3..], (5, 3)).unwrap();
    assert!(next_day.is_empty());
}

fn row(house: &House, at: u64, principal: &str, requests: u64) -> UsageRow {
    UsageRow {
        at,
        of: UsageOf {
            account: house.first.account,
            principal: principal.to_owned(),
            model: "granted".to_owned(),
            profile: String::new(),
        },
        requests,
        input: 10 * requests,
        cached: requests,
        output: 2 * requests,
    }
}

fn days(from: u64, until: u64, width: u64) -> UsageBucket {
    UsageBucket { width, from, until }
}

#[test]
fn usage_is_summed_by_time_and_group_for_its_own_account() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let permit =
        house.permit::<mantle::GetUsage>(&admin, &account_arn(&house, "bedrock-mantle", "project/default"));
    let store = &house.store;
    let hour = NOW - NOW % 3600;
    let mut foreign = row(&house, hour, "one", 100);
    foreign.of.account = "999999999999".parse().unwrap();
    let rows = [
        row(&house, hour, "one", 1),
        row(&house, hour + 60, "one", 2),
        row(&house, hour + 60, "two", 4),
        foreign,
    ];
    store.add_usage(&rows, house.world.now()).unwrap();
    store.add_usage(&rows[..1], house.world.now()).unwrap();
    let all = (UsageGroup::default(), &UsageFilter::default());
    let requests = |buckets, group| {
        let sums = store.usage(&permit, buckets, group, 100).unwrap();
        sums.iter().map(|sum| (sum.at, sum.requests)).collect::<Vec<_>>()
    };
    assert_eq!(
        requests(days(hour, hour + 120, 60), all),
        [(hour, 2), (hour + 60, 6)]
    );
    assert_eq!(requests(days(hour, hour + 3600, 3600), all), [(hour, 8)]);
    assert_eq!(requests(days(hour, hour + 60, 60), all), [(hour, 2)]);
    let by_principal = UsageGroup {
        principal: true,
        ..UsageGroup::default()
    };
    let sums = store
        .usage(
            &permit,
            days(0, NOW + DAY, DAY),
            (by_principal, &UsageFilter::default()),
            100,
        )
        .unwrap();
    let told = |at: usize| {
        let sum = &sums[at];
        (
            sum.principal.as_deref().unwrap(),
            sum.input,
            sum.cached,
            sum.output,
        )
    };
    assert_eq!([told(0), told(1)], [("one", 40, 4, 8), ("two", 40, 4, 8)]);
    assert_eq!(sums.len(), 2);
    few_at_a_time(store, &permit, by_principal, hour);
    let two = UsageFilter {
        principals: vec!["two".to_owned(), "'; DROP TABLE usage; --".to_owned()],
        ..UsageFilter::default()
    };
    assert_eq!(
        requests(days(hour, hour + 3600, 3600), (UsageGroup::default(), &two)),
        [(hour, 4)]
    );
}

fn few_at_a_time(store: &Store, permit: &Permit<mantle::GetUsage>, group: UsageGroup, hour: u64) {
    let all = UsageFilter::default();
    let sums = store.usage(permit, days(hour, hour + 3600, 60), (group, &all), 2);
    assert_eq!(sums.unwrap().len(), 2);
}

#[test]
fn old_usage_is_forgotten_minutes_first() {
    let directory = tempfile::tempdir().unwrap();
    let house = House::open(directory.path());
    let admin = house.session("Admin");
    let permit =
        house.permit::<mantle::GetUsage>(&admin, &account_arn(&house, "bedrock-mantle", "project/default"));
    let ago = |days: u64| NOW - days * DAY - NOW % DAY;
    let rows = [1, 5, 100, 800].map(|days| row(&house, ago(days), "one", 1));
    house.store.add_usage(&rows, house.world.now()).unwrap();
    let kept = |width| {
        let all = (UsageGroup::default(), &UsageFilter::default());
        house
            .store
            .usage(&permit, days(0, NOW + DAY, width), all, 100)
            .unwrap()
            .len()
    };
    assert_eq!((kept(60), kept(3600), kept(DAY)), (1, 2, 3));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// Whatever was added, every width has all of it.
    #[test]
    fn every_width_has_the_same_sum(added in proptest::collection::vec((0_u64..2880, 0_u64..1000), 1..40)) {
        let directory = tempfile::tempdir().unwrap();
        let house = House::open(directory.path());
        let admin = house.session("Admin");
        let permit = house.permit::<mantle::GetUsage>(&admin, &account_arn(&house, "bedrock-mantle", "project/default"));
        let start = NOW - 2 * DAY - NOW % 60 + 60;
        let rows: Vec<UsageRow> = added.iter().map(|(minute, requests)| row(&house, start + minute * 60, "one", *requests)).collect();
        house.store.add_usage(&rows, house.world.now()).unwrap();
        let expected: u64 = added.iter().map(|(_, requests)| requests).sum();
        for width in [60, 3600, DAY] {
            let all = (UsageGroup::default(), &UsageFilter::default());
            let sums = house.store.usage(&permit, days(0, NOW + 10 * DAY, width), all, 10_000).unwrap();
            prop_assert_eq!(sums.iter().map(|sum| sum.requests).sum::<u64>(), expected);
        }
    }
}
