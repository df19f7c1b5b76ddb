//! Commands in any order, with everything that a request can ask for: what comes out is what would have come out alone.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Start(Start),
    Credit { which: usize, tokens: u32 },
    LastCredit { which: usize },
    Cancel { which: usize },
    Step,
}

fn start() -> impl Strategy<Value = Start> {
    let off_or = |off: f32, range| prop_oneof![Just(off), range];
    let settings = (
        off_or(0.0, -2.0_f32..2.0),
        off_or(0.0, -2.0_f32..2.0),
        off_or(1.0, 0.5_f32..3.0),
        off_or(0.0, 0.0_f32..1.0),
    );
    let asked = (
        settings,
        prop::collection::btree_map(0_u32..260, -100.0_f32..100.0, 0..3),
        prop::option::of("[a-z]{1,2}"),
        prop::option::of(0_u8..=20),
    );
    let prompt = prop::collection::vec(32_u8..127, 1..60);
    (
        prompt,
        prop::option::of(0_u32..40),
        0_u32..20,
        any::<u64>(),
        asked,
    )
        .prop_map(
            |(prompt, max_tokens, credit, seed, (settings, bias, stop, logprobs))| Start {
                seed,
                settings,
                bias: bias.into_iter().collect(),
                stop,
                logprobs,
                ..Start::new(&prompt, max_tokens, credit)
            },
        )
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => start().prop_map(Act::Start),
        2 => (0_usize..12, 1_u32..20).prop_map(|(which, tokens)| Act::Credit { which, tokens }),
        1 => (0_usize..12).prop_map(|which| Act::LastCredit { which }),
        1 => (0_usize..12).prop_map(|which| Act::Cancel { which }),
        6 => Just(Act::Step),
    ]
}

fn alone(start: &Start) -> Told {
    let limits = LaneLimits {
        max_sequences: 1,
        token_budget: 1000,
    };
    let (mut lane, mut log) = (lane(true, 5, limits), Log::default());
    let start = Start {
        credit: u32::MAX,
        ..start.clone()
    };
    lane.enqueue(sampled(0, &start), &mut log);
    while lane.step(&mut log) {}
    log.0.remove(&SequenceId(0)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// No block is lost, nobody starves, no credit is overdrawn, each sequence ends once, and its text and
    /// log-probabilities are what they would have been alone.
    #[test]
    fn any_order_of_commands_is_survived(
        acts in proptest::collection::vec(act(), 1..80),
        max_sequences in 1_usize..5,
        more_budget in 0_usize..30,
    ) {
        let limits = LaneLimits { max_sequences, token_budget: max_sequences + more_budget };
        let (mut lane, mut log) = (lane(true, 5, limits), Log::default());
        let mut started: Vec<(Start, u32)> = Vec::new();
        let mut had_their_last = BTreeSet::new();
        for act in acts {
            match act {
                Act::Start(start) => {
                    lane.enqueue(sampled(started.len() as u64, &start), &mut log);
                    let credit = start.credit;
                    started.push((start, credit));
                }
                Act::Credit { which, tokens } => {
                    if let Some(start) = started.get_mut(which) {
                        lane.credit(SequenceId(which as u64), tokens);
                        start.1 += tokens;
                    }
                }
                Act::LastCredit { which } => {
                    if let Some((start, credit)) = started.get_mut(which) {
                        lane.last_credit(SequenceId(which as u64), &mut log);
                        start.max_tokens = Some(start.max_tokens.map_or(*credit, |most| most.min(*credit)));
                        had_their_last.insert(which as u64);
                    }
                }
                Act::Cancel { which } => lane.cancel(SequenceId(which as u64), &mut log),
                Act::Step => {
                    lane.step(&mut log);
                }
            }
            for (id, told) in &log.0 {
                prop_assert!(told.tokens <= started[usize::try_from(id.0).unwrap()].1, "{id} overdrew its credit");
            }
        }
        for id in (0..started.len() as u64).filter(|id| !had_their_last.contains(id)) {
            lane.credit(SequenceId(id), 1000);
        }
        let mut steps = 0;
        while lane.step(&mut log) {
            steps += 1;
            prop_assert!(steps < 20_000, "no end");
        }
        prop_assert_eq!(lane.free_blocks(), 5);
        for (id, (start, _)) in (0..).zip(&started) {
            let told = &log.0[&SequenceId(id)];
            prop_assert_eq!(told.last.len(), 1);
            let expected = alone(start);
            if told.reason() == Some(FinishReason::Cancelled) {
                prop_assert!(expected.text.starts_with(&told.text));
                prop_assert!(expected.logprobs.starts_with(&told.logprobs));
            } else {
                prop_assert_eq!(&told.text, &expected.text);
                prop_assert_eq!(&told.logprobs, &expected.logprobs);
                prop_assert_eq!(told.scheduled, expected.scheduled);
                prop_assert_eq!(told.usage(), expected.usage());
                prop_assert_eq!(told.reason(), expected.reason());
            }
        }
    }
}
