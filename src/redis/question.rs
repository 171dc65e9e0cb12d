//! Questions that only JavaScript can answer, because the answer is a function of the user's: asked by an event, answered by a call.
//!
//! Guarantees: a question nobody waits for any more is forgotten. The wait itself is the asker's to bound: it is dropped with the attempt it belongs to.

use super::client::Shared;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Which function of the user's answers.
    pub kind: &'static str,
    /// Its argument as JSON.
    pub argument: String,
}

/// Questions of one client that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Questions(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    next: u32,
    open: HashMap<u32, (Question, oneshot::Sender<Option<String>>)>,
}

/// Forgets its question when it is dropped.
struct Ticket<'a> {
    questions: &'a Questions,
    id: u32,
}

impl Questions {
    /// The question of this number.
    pub(super) fn get(&self, id: u32) -> Option<Question> {
        self.lock().open.get(&id).map(|(question, _)| question.clone())
    }

    /// Passes an answer on, as JSON; none when there is none.
    pub(super) fn answer(&self, id: u32, answer: Option<String>) {
        let asked = self.lock().open.remove(&id);
        if let Some((_, waiter)) = asked {
            // Whoever asked may have gone.
            let _ = waiter.send(answer);
        }
    }

    fn open(&self, question: Question) -> (Ticket<'_>, oneshot::Receiver<Option<String>>) {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.next = waiting.next.wrapping_add(1) & 0x7fff_ffff;
        let id = waiting.next;
        waiting.open.insert(id, (question, sender));
        (Ticket { questions: self, id }, receiver)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.questions.lock().open.remove(&self.id);
    }
}

impl Shared {
    /// Asks JavaScript; none when the user's function gave nothing of use.
    pub(super) async fn ask(&self, kind: &'static str, argument: String) -> Option<String> {
        let asked = self.asked()?;
        let (ticket, answer) = asked.questions.open(Question { kind, argument });
        asked.with(|machine, _| machine.asks(ticket.id));
        let answer = answer.await.ok().flatten();
        drop(ticket);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::{Question, Questions};

    #[test]
    fn passes_the_answer_on_and_forgets_what_nobody_waits_for() {
        let questions = Questions::default();
        let question = Question { kind: "natMap", argument: "\"h:1\"".to_owned() };
        let (ticket, mut answer) = questions.open(question.clone());
        assert_eq!(questions.get(ticket.id), Some(question.clone()));
        questions.answer(ticket.id, Some("null".to_owned()));
        assert_eq!(answer.try_recv().unwrap().as_deref(), Some("null"));
        questions.answer(ticket.id, None);
        let (dropped, _answer) = questions.open(question);
        let id = dropped.id;
        drop(dropped);
        assert_eq!(questions.get(id), None);
    }
}
