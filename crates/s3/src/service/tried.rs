//! Every operation is on a list that real clients are tried with (`tests/clients/asking_s3.py`): a new one that is not fails
//! here.

use super::SERVED;

const LIST: &str = include_str!("../../../../tests/clients/s3_operations.txt");

/// An operation as AWS calls it.
fn named(operation: &str) -> String {
    let words = operation.split('_').map(|word| {
        let mut letters = word.chars();
        let first = letters.next().map(|letter| letter.to_ascii_uppercase());
        first.into_iter().chain(letters).collect::<String>()
    });
    words.collect()
}

#[test]
fn every_operation_is_tried() {
    let mut listed: Vec<&str> = LIST.lines().filter(|line| !line.starts_with('#')).collect();
    let mut served: Vec<String> = SERVED.iter().map(|name| named(name)).collect();
    listed.sort_unstable();
    served.sort_unstable();
    assert_eq!(listed, served);
}
