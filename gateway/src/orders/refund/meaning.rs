//! What the upstream's answer to a refund means (`docs/MONEY.md`, Refunds).

/// What is known of the money after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    Refunded,
    InProgress,
    /// Not a cent has moved, and none will.
    Failed,
    /// Nothing that could be relied on.
    Unknown,
}

/// Of a verified answer. `is_repeat`: the same number was sent before without a trustworthy answer. A refusal says
/// then only that *this* call did nothing: the one before it may be the very reason for it.
pub fn meaning(code: i32, status: Option<i64>, is_repeat: bool) -> Meaning {
    match (code, status) {
        (1, Some(0)) => Meaning::InProgress,
        (1, Some(1)) => Meaning::Refunded,
        (1, Some(2)) => Meaning::Failed,
        (3..=8 | 30 | 32..=35 | 40..=44, _) if !is_repeat => Meaning::Failed,
        _ => Meaning::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_listed_codes_are_a_refusal_and_only_of_a_first_call() {
        let refused = [3, 4, 5, 6, 7, 8, 30, 32, 33, 34, 35, 40, 41, 42, 43, 44];
        for code in (-1..=100).filter(|code| *code != 1) {
            for status in [None, Some(0), Some(1), Some(2)] {
                let expected = if refused.contains(&code) { Meaning::Failed } else { Meaning::Unknown };
                assert_eq!(meaning(code, status, false), expected, "{code}");
                assert_eq!(meaning(code, status, true), Meaning::Unknown, "{code}, repeated");
            }
        }
    }

    #[test]
    fn success_means_what_its_status_says() {
        for is_repeat in [false, true] {
            let told = |status| meaning(1, status, is_repeat);
            assert_eq!(told(Some(0)), Meaning::InProgress);
            assert_eq!(told(Some(1)), Meaning::Refunded);
            assert_eq!(told(Some(2)), Meaning::Failed);
            for status in [None, Some(-1), Some(3), Some(9)] {
                assert_eq!(told(status), Meaning::Unknown, "{status:?}");
            }
        }
    }
}
