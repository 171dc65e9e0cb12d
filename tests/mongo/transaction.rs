//! Transactions against a real server: verdicts, deadlines that end the work on the server, swallowed aborts, commits of unknown outcome.

use crate::support::{How, Under, detail, eventually, reply_of};
use mongodb::bson::doc;
use mooring::error::{ErrorCode, Phase};
use mooring::mongo::{Reply, opcode};
use std::time::{Duration, Instant};

async fn end(under: &Under, session: How) {
    under.submit(opcode::END_SESSION, &doc! {}, session).await.unwrap();
    under.submit(opcode::END_SESSION, &doc! {}, session).await.unwrap();
    let sessions = &under.stats()["sessions"];
    assert_eq!(sessions["open"], 0, "{sessions}");
    assert_eq!(sessions["started"], sessions["ended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn parallel_operations_of_one_transaction_run_in_order_and_commit_together() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    let attempt = under.begin(session, doc! { "timeoutMS": 5000 });
    let inserts: Vec<_> = (0..20).map(|n| tokio::spawn(under.insert(doc! { "_id": n }, session))).collect();
    let finish = tokio::spawn(under.submit(opcode::FINISH, &doc! { "threw": false }, session));
    for insert in inserts {
        assert_eq!(insert.await.unwrap().unwrap(), Reply::Number(1));
    }
    assert_eq!(finish.await.unwrap().unwrap(), Reply::Nothing, "pending operations are awaited before the commit");
    attempt.await.unwrap();
    assert_eq!(under.stored(doc! {}).await, 20);
    end(&under, session).await;
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aborted_transaction_leaves_nothing() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    for how in ["threw", "abort", "end"] {
        let attempt = under.begin(session, doc! {});
        under.insert(doc! { "how": how }, session).await.unwrap();
        match how {
            "threw" => assert!(under.finish(session, doc! { "threw": true }).await.unwrap().contains("aborted")),
            "abort" => assert_eq!(under.submit(opcode::ABORT, &doc! {}, session).await.unwrap(), Reply::Nothing),
            _ => end(&under, session).await,
        }
        attempt.await.unwrap();
    }
    assert_eq!(under.stored(doc! {}).await, 0);
    assert_eq!(under.stats()["transactions"]["aborted"], 3);
    under.close().await;
}

async fn times_out(first_is_slow: bool) {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    let attempt = under.begin(session, doc! { "timeoutMS": 300 });
    let began = Instant::now();
    if !first_is_slow {
        under.insert(doc! { "_id": 0 }, session).await.unwrap();
    }
    under
        .fail(
            doc! { "times": 1 }.into(),
            doc! { "failCommands": ["insert"], "blockConnection": true, "blockTimeMS": 2000 },
        )
        .await;
    let slow = tokio::spawn(under.insert(doc! { "_id": 1 }, session));
    let queued = tokio::spawn(under.insert(doc! { "_id": 2 }, session));
    let timeout = attempt.await.unwrap_err();
    assert_eq!((timeout.code, timeout.phase), (ErrorCode::Timeout, Some(Phase::Transaction)));
    for running in [slow, queued] {
        assert_eq!(running.await.unwrap().unwrap_err().code, ErrorCode::Timeout);
    }
    assert!(began.elapsed() < Duration::from_millis(600), "{:?}", began.elapsed());
    let late = under.insert(doc! { "_id": 3 }, session).await.unwrap_err();
    assert_eq!((late.code, late.maybe_executed), (ErrorCode::Closed, Some(false)));
    assert!(detail(&late, "state").contains("timed-out"));
    let id = under.client.session_id(session.handle).unwrap();
    assert!(
        eventually(Duration::from_secs(1), || async { under.held_by(&id).await == 0 }).await,
        "the server holds no transaction"
    );
    // The session can be used again.
    let attempt = under.begin(session, doc! {});
    under.insert(doc! { "_id": 4 }, session).await.unwrap();
    let verdict = under.finish(session, doc! { "threw": false }).await.unwrap();
    assert!(verdict.contains("committed"), "{verdict}");
    attempt.await.unwrap();
    assert_eq!(under.stored(doc! {}).await, 1);
    assert_eq!(under.stats()["transactions"]["timedOut"], 1);
    end(&under, session).await;
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_transaction_whose_first_operation_runs() {
    times_out(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_a_transaction_whose_later_operation_runs() {
    times_out(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_ends_an_idle_transaction() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    let attempt = under.begin(session, doc! { "timeoutMS": 100 });
    under.insert(doc! { "_id": 1 }, session).await.unwrap();
    assert_eq!(attempt.await.unwrap_err().code, ErrorCode::Timeout);
    let id = under.client.session_id(session.handle).unwrap();
    assert!(eventually(Duration::from_secs(1), || async { under.held_by(&id).await == 0 }).await);
    assert_eq!(under.finish(session, doc! { "threw": false }).await.unwrap_err().code, ErrorCode::Timeout);
    assert_eq!(under.stored(doc! {}).await, 0);
    end(&under, session).await;
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_that_the_server_never_heard_is_made_good_at_the_deadline() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    let attempt = under.begin(session, doc! { "timeoutMS": 100 });
    under.insert(doc! { "_id": 1 }, session).await.unwrap();
    under.fail("alwaysOn".into(), doc! { "failCommands": ["abortTransaction"], "errorCode": 8 }).await;
    assert_eq!(attempt.await.unwrap_err().code, ErrorCode::Timeout);
    let id = under.client.session_id(session.handle).unwrap();
    assert!(
        eventually(Duration::from_secs(1), || async { under.held_by(&id).await == 0 }).await,
        "killed although every abort failed"
    );
    under.heal().await;
    end(&under, session).await;
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transient_commit_error_runs_the_callback_again() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    let data =
        doc! { "failCommands": ["commitTransaction"], "errorCode": 112, "errorLabels": ["TransientTransactionError"] };
    under.fail(doc! { "times": 1 }.into(), data).await;
    let mut verdicts = Vec::new();
    for attempt in 1..3 {
        let watch = under.begin(session, doc! { "timeoutMS": 5000 });
        under.insert(doc! { "attempt": attempt }, session).await.unwrap();
        verdicts
            .push(under.finish(session, doc! { "threw": false, "attempt": attempt, "maxRetries": 3 }).await.unwrap());
        watch.await.unwrap();
    }
    assert!(verdicts[0].contains("\"kind\":\"retry\",\"backoffMs\":"), "{verdicts:?}");
    assert!(verdicts[1].contains("committed"), "{verdicts:?}");
    assert_eq!(under.stored(doc! {}).await, 1);
    end(&under, session).await;
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_repeated_and_applied_once() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    under
        .fail(doc! { "times": 3 }.into(), doc! { "failCommands": ["commitTransaction"], "closeConnection": true })
        .await;
    let attempt = under.begin(session, doc! { "timeoutMS": 5000 });
    under.insert(doc! { "_id": 1 }, session).await.unwrap();
    assert!(under.finish(session, doc! { "threw": false }).await.unwrap().contains("committed"));
    attempt.await.unwrap();
    assert_eq!(under.stored(doc! {}).await, 1);
    end(&under, session).await;
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_no_answer_reaches_in_time_is_unknown_and_can_be_asked_for() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    let attempt = under.begin(session, doc! { "timeoutMS": 300 });
    under.insert(doc! { "_id": 1 }, session).await.unwrap();
    under.fail("alwaysOn".into(), doc! { "failCommands": ["commitTransaction"], "closeConnection": true }).await;
    let unknown = under.finish(session, doc! { "threw": false }).await.unwrap_err();
    assert_eq!(
        (unknown.code, unknown.phase, unknown.maybe_executed),
        (ErrorCode::UnknownCommit, Some(Phase::Commit), Some(true))
    );
    attempt.await.unwrap();
    let Some((_, mooring::error::Detail::Text(token))) =
        unknown.details.iter().find(|(name, _)| *name == "commitToken")
    else {
        panic!("{unknown:?}")
    };
    let still = under.call(opcode::COMMIT_OUTCOME, doc! { "token": token }).await.unwrap_err();
    assert_eq!(still.code, ErrorCode::UnknownCommit);
    end(&under, session).await;
    under.heal().await;
    assert_eq!(
        under.call(opcode::COMMIT_OUTCOME, doc! { "token": token }).await.unwrap(),
        Reply::Text("committed".into())
    );
    assert_eq!(under.stored(doc! { "_id": 1 }).await, 1);
    assert!(
        under.call(opcode::COMMIT_OUTCOME, doc! { "token": token }).await.is_err(),
        "a definite outcome is told once"
    );
    assert_eq!(under.stats()["transactions"]["unknown"], 1);
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_cut_is_unknown_and_an_abort_that_is_cut_is_not() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    let attempt = under.begin(session, doc! {});
    under.insert(doc! { "_id": 1 }, session).await.unwrap();
    let slow =
        doc! { "failCommands": ["commitTransaction", "abortTransaction"], "blockConnection": true, "blockTimeMS": 600 };
    under.fail(doc! { "times": 1 }.into(), slow.clone()).await;
    let cut = under.submit(opcode::COMMIT, &doc! {}, session.within(200)).await.unwrap_err();
    assert_eq!((cut.code, cut.phase, cut.maybe_executed), (ErrorCode::UnknownCommit, Some(Phase::Commit), Some(true)));
    attempt.await.unwrap();
    let Some((_, mooring::error::Detail::Text(token))) = cut.details.iter().find(|(name, _)| *name == "commitToken")
    else {
        panic!("{cut:?}")
    };
    assert_eq!(
        under.call(opcode::COMMIT_OUTCOME, doc! { "token": token }).await.unwrap(),
        Reply::Text("committed".into())
    );
    assert_eq!(under.stored(doc! { "_id": 1 }).await, 1);
    let _attempt = under.begin(session, doc! {});
    under.insert(doc! { "_id": 2 }, session).await.unwrap();
    under.fail(doc! { "times": 1 }.into(), slow).await;
    let cut = under.submit(opcode::FINISH, &doc! { "threw": true }, session.within(200)).await.unwrap_err();
    assert_eq!(cut.code, ErrorCode::Timeout);
    let id = under.client.session_id(session.handle).unwrap();
    end(&under, session).await;
    assert_eq!(under.held_by(&id).await, 0, "the abort went on without its caller");
    assert_eq!(under.stored(doc! { "_id": 2 }).await, 0);
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swallowed_abort_is_told_and_not_retried() {
    let under = Under::start(doc! {}).await;
    under.insert(doc! { "_id": 1 }, How::default()).await.unwrap();
    let session = under.session();
    let attempt = under.begin(session, doc! {});
    assert_eq!(under.insert(doc! { "_id": 1 }, session).await.unwrap_err().server_code, Some(11000));
    let failure = under.finish(session, doc! { "threw": false, "attempt": 1, "maxRetries": 3 }).await.unwrap_err();
    assert_eq!((failure.code, failure.server_code), (ErrorCode::ServerError, Some(11000)));
    assert!(detail(&failure, "swallowed").contains("true"));
    assert!(reply_of(&failure).get_str("errmsg").unwrap().contains("E11000"));
    attempt.await.unwrap();
    end(&under, session).await;
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concerns_and_preferences_of_operations_do_not_disturb_a_transaction() {
    let under =
        Under::start(doc! { "readPreference": "secondaryPreferred", "w": "majority", "readConcernLevel": "majority" })
            .await;
    let session = under.session();
    let attempt = under.begin(session, doc! { "readPreference": "primary", "readConcern": { "level": "snapshot" }, "writeConcern": { "w": "majority" } });
    let concerns =
        doc! { "writeConcern": { "w": 1 }, "readConcern": { "level": "local" }, "readPreference": "secondary" };
    let insert = doc! { "docs": [{ "_id": 1 }], "options": concerns.clone() };
    under.on(opcode::INSERT, insert, session).await.unwrap();
    let find = doc! { "filter": { "_id": 1 }, "options": concerns };
    assert!(matches!(under.on(opcode::FIND_ONE, find, session).await.unwrap(), Reply::Bytes(_)));
    assert!(under.finish(session, doc! { "threw": false }).await.unwrap().contains("committed"));
    attempt.await.unwrap();
    end(&under, session).await;
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_transactions_balance() {
    let under = Under::start(doc! {}).await;
    let mut committed = 0;
    for n in 0..200 {
        let session = under.session();
        let attempt = under.begin(session, doc! { "timeoutMS": 5000 });
        under.insert(doc! { "n": n }, session).await.unwrap();
        let threw = n % 3 == 0;
        under.finish(session, doc! { "threw": threw }).await.unwrap();
        committed += u64::from(!threw);
        attempt.await.unwrap();
        end(&under, session).await;
    }
    assert_eq!(under.stored(doc! {}).await, committed);
    let stats = under.stats();
    assert_eq!(stats["transactions"]["committed"], committed);
    assert_eq!(stats["inFlight"], 0);
    under.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_reads_its_own_writes() {
    let under = Under::start(doc! {}).await;
    let session = under.session();
    for n in 0..20 {
        under.insert(doc! { "_id": n }, session).await.unwrap();
        let found = under.on(opcode::FIND_ONE, doc! { "filter": { "_id": n } }, session).await.unwrap();
        assert!(matches!(found, Reply::Bytes(_)));
    }
    let times = crate::support::read(&under.client.session_times(session.handle).unwrap());
    assert!(times.contains_key("operationTime") && times.contains_key("clusterTime"), "{times}");
    let other = under.session();
    under.submit(opcode::ADVANCE_SESSION, &times, other).await.unwrap();
    under.on(opcode::FIND_ONE, doc! { "filter": {} }, other).await.unwrap();
    under.submit(opcode::END_SESSION, &doc! {}, other).await.unwrap();
    end(&under, session).await;
    under.close().await;
}
