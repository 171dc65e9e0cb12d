//! The decoder against the plainest decoding there is: a JSON tree, read field by field with web3.js's rules.

use super::request::{AccountMethod, AccountRead};
use super::{Shape, decode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

const OWNER: &str = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA";
const SYSTEM: &str = "11111111111111111111111111111111";

/// Lamports, rent epoch, space, executable, owner, data.
type Account = (f64, f64, Option<f64>, bool, Vec<u8>, Vec<u8>);

/// An account as a reader of the block sees it.
#[derive(Debug, PartialEq)]
struct Seen {
    pubkey: Option<Vec<u8>>,
    account: Option<Account>,
}

/// Reads a block as `lib/solana/decode.ts` does.
fn seen(block: &[u8], keyed: bool) -> (String, Vec<Seen>) {
    let double = |index: usize| f64::from_le_bytes(block[index * 8..index * 8 + 8].try_into().unwrap());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small whole numbers")]
    let whole = |index: usize| double(index) as usize;
    let (rows, owners) = (whole(0), whole(1));
    let keys = (4 + rows * 7) * 8;
    let context = String::from_utf8(block[whole(2)..whole(2) + whole(3)].to_vec()).unwrap();
    let list = (0..rows).map(|row| {
        let at = 4 + row * 7;
        let pubkey = keyed.then(|| block[keys + (owners + row) * 32..][..32].to_vec());
        if double(at + 4) < 0.0 {
            return Seen { pubkey, account: None };
        }
        let (start, length) = (whole(at + 5), whole(at + 6));
        assert_eq!(start % 8, 0, "data is aligned");
        let owner = block[keys + whole(at + 4) * 32..][..32].to_vec();
        let space = Some(double(at + 2)).filter(|space| !space.is_nan());
        let data = block[start..start + length].to_vec();
        Seen { pubkey, account: Some((double(at), double(at + 1), space, double(at + 3) > 0.0, owner, data)) }
    });
    (context, list.collect())
}

/// The same out of a JSON tree; `None` where web3.js refuses, or where the decoder leaves the judgement to it.
fn plainly(shape: Shape, result: &Value) -> Option<(Value, Vec<Seen>)> {
    if shape == Shape::KeyedWithoutContext {
        return Some((Value::Null, result.as_array()?.iter().map(plain_keyed).collect::<Option<_>>()?));
    }
    let object = only(result, &["context", "value"])?;
    let (context, value) = (object.get("context")?, object.get("value")?);
    context.get("slot")?.as_f64()?;
    let one = |value: &Value| match value {
        Value::Null => Some(Seen { pubkey: None, account: None }),
        value => Some(Seen { pubkey: None, account: Some(plain_account(value)?) }),
    };
    let rows = match shape {
        Shape::One => vec![one(value)?],
        Shape::Many => value.as_array()?.iter().map(one).collect::<Option<_>>()?,
        _ => value.as_array()?.iter().map(plain_keyed).collect::<Option<_>>()?,
    };
    Some((context.clone(), rows))
}

fn only<'v>(value: &'v Value, known: &[&str]) -> Option<&'v serde_json::Map<String, Value>> {
    value.as_object().filter(|object| object.keys().all(|name| known.contains(&name.as_str())))
}

fn plain_keyed(value: &Value) -> Option<Seen> {
    let object = only(value, &["pubkey", "account"])?;
    let pubkey = bs58::decode(object.get("pubkey")?.as_str()?).into_vec().ok().filter(|key| key.len() == 32)?;
    Some(Seen { pubkey: Some(pubkey), account: Some(plain_account(object.get("account")?)?) })
}

fn plain_account(value: &Value) -> Option<Account> {
    let object = only(value, &["data", "executable", "lamports", "owner", "rentEpoch", "space"])?;
    let owner = bs58::decode(object.get("owner")?.as_str()?).into_vec().ok().filter(|key| key.len() == 32)?;
    let [text, encoding] = object.get("data")?.as_array()?.as_slice() else { return None };
    let data = STANDARD.decode(text.as_str()?).ok().filter(|_| encoding == "base64")?;
    let space = object.get("space").map_or(Some(None), |space| space.as_f64().map(Some))?;
    let (lamports, rent) = (object.get("lamports")?.as_f64()?, object.get("rentEpoch")?.as_f64()?);
    Some((lamports, rent, space, object.get("executable")?.as_bool()?, owner, data))
}

/// A value of the right kind nearly always, anything otherwise.
fn mostly(good: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    let odd = prop_oneof![Just(Value::Null), Just(json!("x")), Just(json!(-1.5)), Just(json!([1])), Just(json!({}))];
    prop_oneof![40 => good, 1 => odd].boxed()
}

fn account() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just(json!(OWNER)),
        Just(json!(SYSTEM)),
        any::<[u8; 32]>().prop_map(|key| json!(bs58::encode(key).into_string()))
    ];
    let bytes = proptest::collection::vec(any::<u8>(), 0..40).prop_map(|data| json!([STANDARD.encode(data), "base64"]));
    let number = || mostly(any::<u64>().prop_map(|number| json!(number)));
    let fields =
        (mostly(bytes), mostly(any::<bool>().prop_map(Value::Bool)), number(), mostly(key), number(), number());
    (fields, 0..200u8).prop_map(|((data, executable, lamports, owner, rent, space), odd)| {
        let mut account = json!({ "data": data, "executable": executable, "lamports": lamports, "owner": owner,
            "rentEpoch": rent, "space": space });
        let object = account.as_object_mut().unwrap();
        match odd {
            0..20 => drop(object.remove("space")),
            20 => drop(object.remove("rentEpoch")),
            21 => drop(object.insert("more".to_owned(), json!(1))),
            22 => drop(object.insert("data".to_owned(), json!(["AA=A", "base64"]))),
            _ => {}
        }
        account
    })
}

fn result(shape: Shape) -> BoxedStrategy<Value> {
    let context = || mostly(any::<u32>().prop_map(|slot| json!({ "apiVersion": "4.2.2", "slot": slot })));
    let keyed = (account(), any::<[u8; 32]>())
        .prop_map(|(account, key)| json!({ "account": account, "pubkey": bs58::encode(key).into_string() }));
    let value = match shape {
        Shape::One => mostly(account()),
        Shape::Many => mostly(proptest::collection::vec(mostly(account()), 0..6).prop_map(Value::Array)),
        _ => mostly(proptest::collection::vec(mostly(keyed), 0..6).prop_map(Value::Array)),
    };
    if shape == Shape::KeyedWithoutContext {
        return value;
    }
    let missing = prop_oneof![20 => Just(""), 1 => Just("context"), 1 => Just("value")];
    (context(), value, missing)
        .prop_map(|(context, value, missing)| {
            let mut result = json!({ "context": context, "value": value });
            result.as_object_mut().unwrap().remove(missing);
            result
        })
        .boxed()
}

fn agrees(shape: Shape, result: &Value) {
    let keyed = matches!(shape, Shape::Keyed | Shape::KeyedWithoutContext);
    let native = decode(shape, result.to_string().as_bytes()).map(|block| seen(&block, keyed));
    let plain = plainly(shape, result);
    assert_eq!(native.is_some(), plain.is_some(), "{result}");
    if let (Some((text, rows)), Some((context, expected))) = (native, plain) {
        assert_eq!(rows, expected);
        assert_eq!(serde_json::from_str(&text).unwrap_or(Value::Null), context);
    }
}

proptest! {
    #[test]
    fn one_account_as_plainly_decoded(result in result(Shape::One)) { agrees(Shape::One, &result); }

    #[test]
    fn many_accounts_as_plainly_decoded(result in result(Shape::Many)) { agrees(Shape::Many, &result); }

    #[test]
    fn keyed_accounts_as_plainly_decoded(result in result(Shape::Keyed)) { agrees(Shape::Keyed, &result); }

    #[test]
    fn lists_as_plainly_decoded(result in result(Shape::KeyedWithoutContext)) {
        agrees(Shape::KeyedWithoutContext, &result);
    }

    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..300usize) {
        let whole = json!({ "context": { "slot": 1 }, "value": [{ "data": ["AAAA", "base64"], "executable": false,
            "lamports": 1, "owner": OWNER, "rentEpoch": u64::MAX, "space": 3 }] }).to_string();
        let mut text = whole.as_bytes()[..cut.min(whole.len())].to_vec();
        text.extend(&bytes);
        for shape in [Shape::One, Shape::Many, Shape::Keyed, Shape::KeyedWithoutContext] {
            drop(decode(shape, &bytes));
            drop(decode(shape, &text));
        }
    }

    #[test]
    fn keys_become_the_base58_of_their_bytes(keys in proptest::collection::vec(any::<[u8; 32]>(), 0..5)) {
        let texts: Vec<_> = keys.iter().map(|key| bs58::encode(key).into_string()).collect();
        let read = AccountRead::new(AccountMethod::Accounts, &keys.concat(), r#"{"encoding":"base64"}"#.to_owned()).unwrap();
        prop_assert_eq!(read.params(), json!([texts, { "encoding": "base64" }]).to_string());
    }
}

#[test]
fn numbers_beyond_a_double_round_as_javascript_rounds() {
    let text = format!(
        r#"{{"context":{{"slot":1}},"value":{{"data":["","base64"],"executable":true,"lamports":18446744073709551615,"owner":"{SYSTEM}","rentEpoch":9007199254740993,"space":1e3}}}}"#
    );
    let (_, rows) = seen(&decode(Shape::One, text.as_bytes()).unwrap(), false);
    let account = rows.into_iter().next().unwrap().account.unwrap();
    assert_eq!(
        account,
        (18_446_744_073_709_551_615.0, 9_007_199_254_740_992.0, Some(1000.0), true, vec![0; 32], vec![])
    );
}

#[test]
fn shapes_that_only_look_right_are_left_to_the_caller() {
    let account =
        format!(r#"{{"data":["","base64"],"executable":true,"lamports":1,"owner":"{SYSTEM}","rentEpoch":0}}"#);
    let with = |account: &str| format!(r#"{{"context":{{"slot":1}},"value":{account}}}"#);
    assert!(decode(Shape::One, with(&account).as_bytes()).is_some());
    let as_array = format!(r#"[["","base64"],true,1,"{SYSTEM}",0,1]"#);
    let twice = account.replace(r#""lamports":1"#, r#""lamports":1,"lamports":2"#);
    let null_space = account.replace(r#""rentEpoch":0"#, r#""rentEpoch":0,"space":null"#);
    for odd in [as_array.as_str(), &twice, &null_space, "[]", "1"] {
        assert!(decode(Shape::One, with(odd).as_bytes()).is_none(), "{odd}");
    }
    assert!(AccountRead::new(AccountMethod::Account, &[0; 31], String::new()).is_err());
    assert!(AccountRead::new(AccountMethod::Account, &[0; 64], String::new()).is_err());
    assert!((0..6).all(|code| AccountMethod::from_code(code).is_some()) && AccountMethod::from_code(6).is_none());
}
