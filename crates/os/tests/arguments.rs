//! A process blots a secret out of its arguments: in a process of its own, as it is gone for all of it.

use moho_os::blot_out_argument;

#[test]
fn an_argument_is_seen_no_more() {
    let shown = || String::from_utf8(std::fs::read("/proc/self/cmdline").unwrap()).unwrap();
    let before = shown();
    let name = before.split('\0').next().unwrap();
    assert!(blot_out_argument(name).unwrap() >= 1);
    let after = shown();
    assert_eq!(after.len(), before.len());
    assert!(after.starts_with(&"*".repeat(name.len())), "{after}");
    assert!(!after.contains(name));
    assert_eq!(blot_out_argument(name).unwrap(), 0);
    assert_eq!(blot_out_argument("").unwrap(), 0);
}
