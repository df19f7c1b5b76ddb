//! What a request asks for besides text, and what the lane tells of itself.

use super::*;

#[test]
fn penalties_and_bias_change_what_greedy_takes() {
    let greedy = |penalties: (f32, f32, f32), bias: Vec<(u32, f32)>| {
        let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
        let prompt = text_of("a");
        let sampling = Sampling::GREEDY
            .with_penalties(penalties.0, penalties.1, penalties.2)
            .unwrap();
        let mut asked = request(1, &prompt, Some(4), 9);
        asked.sampler = Sampler::new(sampling, Adjustments::new(&sampling, bias, &prompt), 0);
        lane.enqueue(asked, &mut log);
        while lane.step(&mut log) {}
        log.0.remove(&SequenceId(1)).unwrap().text
    };
    assert_eq!(greedy((0.0, 0.0, 1.0), Vec::new()), "bcde");
    // The model's own choice has a logit of 1, all others 0.
    assert_eq!(greedy((0.0, 0.0, 1.0), vec![(u32::from(b'x'), 1.5)]), "xxxx");
    assert_eq!(greedy((0.75, 0.0, 1.0), vec![(u32::from(b'x'), 1.5)]), "xyz{");
    assert_eq!(greedy((0.0, 0.3, 1.0), vec![(u32::from(b'x'), 1.5)]), "xxyz");
    assert_eq!(greedy((0.0, 0.0, 2.0), vec![(u32::from(b'x'), 1.5)]), "xyz{");
    assert_eq!(
        greedy((0.0, 0.0, 1.0), vec![(u32::from(b'c'), -100.0)]),
        "b\0\u{1}\u{2}"
    );
}

#[test]
fn log_probabilities_are_the_models_before_anything_was_changed() {
    let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
    let prompt = text_of("a");
    let mut asked = request(1, &prompt, Some(2), 9);
    let bias = Adjustments::new(&Sampling::GREEDY, vec![(u32::from(b'x'), 100.0)], &prompt);
    asked.sampler = Sampler::new(Sampling::GREEDY, bias, 0);
    asked.logprobs = Some(2);
    lane.enqueue(asked, &mut log);
    while lane.step(&mut log) {}
    // One logit is 1 and 259 are 0, whatever was chosen.
    let total = (1.0_f32.exp() + 259.0).ln();
    let expected = [(b'b', b'x'), (b'y', b'x')];
    let told = &log.0[&SequenceId(1)];
    assert_eq!((told.text.as_str(), told.logprobs.len()), ("xx", 2));
    for ((bytes, logprob, top), (likeliest, chosen)) in told.logprobs.iter().zip(expected) {
        assert_eq!(bytes, &[chosen]);
        assert!((logprob + total).abs() < 1e-5);
        assert_eq!(
            top.iter().map(|(b, _)| b.clone()).collect::<Vec<_>>(),
            [vec![likeliest], vec![0]]
        );
        assert!((top[0].1 - (1.0 - total)).abs() < 1e-5);
    }
}

#[test]
fn control_tokens_among_the_likeliest_are_named() {
    let (mut lane, mut log) = (lane(false, 13, WIDE), Log::default());
    let mut asked = request(1, &[255], Some(3), 9);
    asked.logprobs = Some(1);
    lane.enqueue(asked, &mut log);
    while lane.step(&mut log) {}
    // 256 and 257 stand for no text; 257 ends the output.
    let told = &log.0[&SequenceId(1)];
    assert_eq!((told.tokens, told.logprobs.len()), (2, 0));
    let mut asked = request(2, &[255], Some(1), 9);
    let bias = Adjustments::new(&Sampling::GREEDY, vec![(97, 100.0)], &[255]);
    asked.sampler = Sampler::new(Sampling::GREEDY, bias, 0);
    asked.logprobs = Some(1);
    lane.enqueue(asked, &mut log);
    while lane.step(&mut log) {}
    let (bytes, _, top) = &log.0[&SequenceId(2)].logprobs[0];
    assert_eq!(
        (bytes.as_slice(), top[0].0.as_slice()),
        (&b"a"[..], &b"<|im_start|>"[..])
    );
}

#[test]
fn the_load_is_what_was_done() {
    let (mut lane, mut log) = (lane(false, 5, WIDE), Log::default());
    lane.enqueue(request(1, &text_of(&"a".repeat(20)), Some(3), 9), &mut log);
    lane.enqueue(request(2, &text_of("a"), Some(3), 0), &mut log);
    lane.step(&mut log);
    let load = |lane: &Lane<Tiny>| lane.load("tiny".parse().unwrap());
    let now = load(&lane);
    assert_eq!(
        (now.running, now.waiting, now.kv_blocks, now.block_tokens),
        (1, 1, 5, 16)
    );
    assert_eq!(
        (now.kv_blocks_used, now.prompt_tokens, now.generated_tokens),
        (1, 0, 0)
    );
    while lane.step(&mut log) {}
    let now = load(&lane);
    assert_eq!((now.running, now.waiting, now.kv_blocks_used), (0, 1, 0));
    assert_eq!(
        (now.prompt_tokens, now.generated_tokens, now.preemptions),
        (20, 3, 0)
    );
    // Twenty tokens in steps of eight, then two more.
    assert_eq!((now.steps, now.step_tokens.sum), (5, 22));
    assert_eq!(now.step_tokens.cumulative[..3], [2, 5, 5]);
}
