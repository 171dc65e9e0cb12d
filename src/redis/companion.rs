//! Commands of our own on a connection of their own: options of such a client, and what its replies say.

use super::options::{Options, Resend, Retry};
use super::reply::{has_bytes, token};

/// The options of `options`' client for a connection that serves this room alone: it never asks JavaScript, and commands that it loses are asked again by
/// who sent them. `purpose` stands beside the endpoint in reports.
pub(super) fn own_options(options: &Options, purpose: &str) -> Options {
    Options {
        monitor: false,
        read_only: false,
        retry: Retry::Native { base_ms: 50, cap_ms: 1000, jitter: 0.5 },
        max_retries_per_request: None,
        max_connect_retries: None,
        auto_resubscribe: false,
        resend: Resend::None,
        enable_offline_queue: true,
        offline_queue_max: 16,
        ask_reconnect_on_error: false,
        label: Some(format!("{} ({purpose})", options.endpoint())),
        ..options.clone()
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer<'a> {
    /// Not at all.
    Unanswered,
    /// With an error.
    Failed,
    /// With a string.
    Text(&'a [u8]),
    /// With an integer.
    Number(i32),
    /// With a list, of which these are the strings.
    List(Vec<&'a [u8]>),
    /// With something that no command of ours is answered by.
    Other,
}

/// Walks the tokens of a client that runs only commands of ours: their answers, failures, and what a connection has to tell.
pub(super) struct Reader<'a> {
    meta: &'a [i32],
    blob: &'a [u8],
    /// Replies that are left of a run, and the number of the next.
    run: (u32, u32),
}

impl<'a> Reader<'a> {
    /// Reads one chunk's tokens.
    pub(super) fn new(meta: &'a [i32], blob: &'a [u8]) -> Self {
        Self { meta, blob, run: (0, 0) }
    }

    /// The next command that has settled, by its number.
    pub(super) fn settled(&mut self) -> Option<(u32, Answer<'a>)> {
        while self.run.0 == 0 {
            match self.int()? {
                token::RUN => {
                    let (first, count) = (self.int()?, self.int()?);
                    self.run = (count.cast_unsigned(), first.cast_unsigned());
                }
                token::FAIL => {
                    let seq = self.int()?.cast_unsigned();
                    self.skip(2)?;
                    return Some((seq, Answer::Unanswered));
                }
                token::STATUS | token::NOTICE => self.skip(3)?,
                token::ASK_RETRY | token::ERROR_EVENT => self.skip(2)?,
                _ => self.skip(1)?,
            }
        }
        let seq = self.run.1;
        self.run = (self.run.0 - 1, seq.wrapping_add(1));
        Some((seq, self.value()?))
    }

    fn value(&mut self) -> Option<Answer<'a>> {
        let (kind, value) = (self.int()?, self.int()?);
        if has_bytes(kind) {
            let (bytes, rest) = self.blob.split_at_checked(usize::try_from(value).ok()?)?;
            self.blob = rest;
            return Some(match kind {
                token::BULK | token::SIMPLE => Answer::Text(bytes),
                token::ERROR => Answer::Failed,
                _ => Answer::Other,
            });
        }
        match kind {
            token::INT => Some(Answer::Number(value)),
            token::ARRAY => self.list(value).map(Answer::List),
            token::SET | token::PUSH => self.list(value).map(|_| Answer::Other),
            token::MAP => self.list(value.checked_mul(2)?).map(|_| Answer::Other),
            _ => Some(Answer::Other),
        }
    }

    fn list(&mut self, count: i32) -> Option<Vec<&'a [u8]>> {
        let mut items = Vec::new();
        for _ in 0..count {
            if let Answer::Text(item) = self.value()? {
                items.push(item);
            }
        }
        Some(items)
    }

    fn int(&mut self) -> Option<i32> {
        let (first, rest) = self.meta.split_first()?;
        self.meta = rest;
        Some(*first)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.meta = self.meta.get(count..)?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Reader};
    use crate::redis::reply::token;

    #[test]
    fn reads_answers_between_what_a_connection_tells() {
        let meta = [
            &[token::STATUS, 3, 7, 0][..],
            &[token::RUN, 5, 4, token::ARRAY, 2, token::BULK, 2, token::BULK, 1],
            &[token::INT, 1, token::ERROR, 3, token::NIL, 0],
            &[token::FAIL, 9, 1, 0, token::RUN, 10, 1, token::ARRAY, 0],
        ]
        .concat();
        let mut reader = Reader::new(&meta, b"abcERR");
        let mut answers = Vec::new();
        while let Some(answer) = reader.settled() {
            answers.push(answer);
        }
        let list = Answer::List(vec![&b"ab"[..], b"c"]);
        let expected = [
            (5, list),
            (6, Answer::Number(1)),
            (7, Answer::Failed),
            (8, Answer::Other),
            (9, Answer::Unanswered),
            (10, Answer::List(Vec::new())),
        ];
        assert_eq!(answers, expected);
    }
}
