use tokio::io::AsyncWriteExt;

use super::line::{self, MAX_LINE};

#[tokio::test]
async fn a_line_may_be_as_long_as_the_limit_and_no_longer() {
    for (length, fits) in [(0, true), (MAX_LINE, true), (MAX_LINE + 1, false)] {
        let text = [vec![b'x'; length].as_slice(), b"\n"].concat();
        let read = line::read(text.as_slice()).await;
        assert_eq!(read.as_ref().map(|line| line.len()).ok(), fits.then_some(length), "{length}");
    }
    assert!(line::read(b"not finished".as_slice()).await.is_err());
    assert!(line::read(b"".as_slice()).await.is_err());
}

#[tokio::test]
async fn what_is_longer_than_a_line_is_not_sent_at_all() {
    let mut sent = Vec::new();
    let text = "x".repeat(MAX_LINE - 2);
    line::write(&mut sent, &text).await.expect("with its quotes it just fits");
    assert_eq!(sent.len(), MAX_LINE + 1);
    sent.clear();
    assert!(line::write(&mut sent, &format!("{text}x")).await.is_err());
    sent.flush().await.expect("a Vec takes everything");
    assert!(sent.is_empty());
}
