//! Quotas when something goes wrong: clients that leave, clocks that err, accounts that have too many principals.

use super::*;

/// Polls once, and lets it wait.
async fn begins(waits: &mut (impl Future<Output = impl Sized> + Unpin)) {
    tokio::select! {
        biased;
        _ = waits => panic!("it did not wait for the book"),
        () = std::future::ready(()) => {}
    }
}

#[tokio::test]
async fn a_client_that_leaves_while_the_book_is_written_holds_nothing() {
    let house = House::with(Limits {
        day: output(100),
        sequences: Some(1),
        ..Limits::default()
    });
    assert_eq!(house.left().await, 100);
    let open = house.shut();
    let mut enters = Box::pin(house.enter("One", 1));
    begins(&mut enters).await;
    drop(enters);
    drop(open);
    let mut reservation = house.enter("One", 1).await.unwrap();
    let open = house.shut();
    let mut sets_aside = Box::pin(reservation.set_aside(Amounts::tokens(1, 60), 0));
    begins(&mut sets_aside).await;
    drop(sets_aside);
    drop(open);
    drop(reservation);
    assert_eq!(house.left().await, 100);
    drop(house.enter("One", 1).await.unwrap());
}

#[tokio::test]
async fn any_number_of_quotas_may_be_for_a_first_question() {
    let quota = |model: String| Quota {
        model: TextPattern::new(&model),
        limits: per_day(requests(5)),
        ..Quota::default()
    };
    let many = (0..9).map(|stars| quota("*".repeat(stars + 1))).collect();
    let clock = Arc::new(Hand(AtomicU64::new(NOON)));
    let quotas = Quotas::new(many, Box::new(Arc::new(Paper::default())), clock);
    let (one, model) = (asker("One"), "m".parse().unwrap());
    let entered = Arc::new(quotas).enter(&one, &model, (Amounts::REQUEST, 1)).await;
    assert!(entered.is_ok());
}

#[tokio::test]
async fn a_clock_that_was_ahead_frees_nothing() {
    let house = House::with(per_day(requests(3)));
    for _ in 0..2 {
        drop(house.enter("One", 1).await.unwrap());
    }
    house.quotas.settle().unwrap();
    house.later(30 * DAY);
    for _ in 0..3 {
        drop(house.enter("One", 1).await.unwrap());
        house.quotas.settle().unwrap();
    }
    house.clock.0.store(NOON + 60, Ordering::Relaxed);
    drop(house.enter("One", 1).await.unwrap());
    assert_eq!(hit(house.enter("One", 1).await).per, Window::Day);
    house.quotas.settle().unwrap();
    let restarted = House::over(per_day(requests(3)), Arc::clone(&house.paper), NOON + 120);
    assert_eq!(hit(restarted.enter("One", 1).await).per, Window::Day);
    house.later(DAY);
    drop(house.enter("One", 1).await.unwrap());
}

#[tokio::test]
async fn what_runs_is_not_written_again_and_again() {
    let house = House::with(per_day(output(6400)));
    let mut bill = house.ask(0, 1000).await.unwrap();
    let writes = || house.paper.writes.load(Ordering::Relaxed);
    let before = writes();
    for _ in 0..10 {
        bill.generated(20);
        house.quotas.settle().unwrap();
    }
    assert_eq!(writes(), before);
    drop(bill);
    house.quotas.settle().unwrap();
    assert_eq!(writes(), before + 1);
    let stopped = House::over(per_day(output(6400)), Arc::clone(&house.paper), NOON + 60);
    assert_eq!(stopped.left().await, 6400 - 200);
}

#[tokio::test]
async fn who_has_no_room_in_the_book_does_not_keep_others_from_it() {
    let house = House::with(per_day(requests(640)));
    drop(house.enter("One", 1).await.unwrap());
    let two = house.quotas.applied(&asker("Two"), &"m".parse().unwrap());
    *house.paper.without_room.lock().unwrap() = Some(two[0].key);
    assert!(matches!(house.enter("Two", 1).await, Err(NotAdmitted::Book(_))));
    house.quotas.settle().unwrap();
    house.later(70);
    house.quotas.settle().unwrap();
    assert_eq!(house.quotas.ledger().len(), 0);
    *house.paper.without_room.lock().unwrap() = None;
    drop(house.enter("Two", 1).await.unwrap());
}

#[tokio::test]
async fn an_account_that_has_too_many_counters_leaves_room_for_others() {
    let house = House::with(Limits {
        sequences: Some(1),
        ..Limits::default()
    });
    let mut crowd = Vec::new();
    let refused = loop {
        match house.enter(&format!("Role{}", crowd.len()), 1).await {
            Ok(reservation) => crowd.push(reservation),
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, NotAdmitted::Full));
    assert_eq!(crowd.len(), 25_000);
    let mut other = asker("One");
    other.account = "210987654321".parse().unwrap();
    let model = "m".parse().unwrap();
    let theirs = house.quotas.enter(&other, &model, (Amounts::REQUEST, 1)).await;
    assert!(theirs.is_ok());
    house.later(1);
    assert!(matches!(house.enter("New", 1).await, Err(NotAdmitted::Full)));
    house.later(70);
    drop(crowd);
    drop(house.enter("New", 1).await.unwrap());
}

#[tokio::test]
async fn room_is_looked_for_once_a_second() {
    let house = House::with(Limits {
        sequences: Some(1),
        ..Limits::default()
    });
    let quiet = (Amounts::default(), 1);
    let model = "m".parse().unwrap();
    let enter = async |number: usize| {
        let one = asker(&format!("Role{number}"));
        house.quotas.enter(&one, &model, quiet).await
    };
    let mut crowd = Vec::new();
    while let Ok(reservation) = enter(crowd.len()).await {
        crowd.push(reservation);
    }
    drop(crowd);
    assert!(matches!(enter(50_000).await, Err(NotAdmitted::Full)));
    house.later(1);
    drop(enter(50_000).await.unwrap());
}
