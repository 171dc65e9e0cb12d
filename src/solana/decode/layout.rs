//! How accounts cross to JavaScript: one block of bytes, cut into views there.
//!
//! Little endian, every part on a multiple of eight: a head of four doubles (rows, owners, offset and length of the context's text, length 0 for none); seven
//! doubles a row (lamports, rent epoch, space or NaN, 1 for executable, the owner's number or -1 for no account, offset and length of the data); 32 bytes an
//! owner, each owner once; 32 bytes a row for keyed results; the context's text; the data.

use super::wire::{Account, Found};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::HashMap;

const HEAD: usize = 4;
const ROW: usize = 7;
const DOUBLE: usize = 8;
const KEY: usize = 32;

/// Key texts of one result, each decoded once.
#[derive(Default)]
struct Keys<'a> {
    numbers: HashMap<&'a str, u32>,
    bytes: Vec<u8>,
}

impl<'a> Keys<'a> {
    fn number(&mut self, text: &'a str) -> Option<u32> {
        if let Some(number) = self.numbers.get(text) {
            return Some(*number);
        }
        let number = u32::try_from(self.numbers.len()).ok()?;
        self.bytes.extend_from_slice(&key(text)?);
        self.numbers.insert(text, number);
        Some(number)
    }
}

/// The block; `None` when a text in it is not what it should be.
pub(super) fn write(found: &Found<'_>) -> Option<Vec<u8>> {
    let rows = &found.rows;
    let (mut owners, mut pubkeys) = (Keys::default(), Vec::new());
    let mut numbers = Vec::with_capacity(rows.len());
    for row in rows {
        numbers.push(match &row.account {
            Some(account) => owners.number(account.owner)?,
            None => 0,
        });
        if let Some(text) = row.pubkey {
            pubkeys.extend_from_slice(&key(text)?);
        }
    }
    let table = (HEAD + ROW * rows.len()) * DOUBLE;
    let context = table + owners.bytes.len() + pubkeys.len();
    let start = (context + found.context.len()).next_multiple_of(DOUBLE);
    let texts = rows.iter().filter_map(|row| row.account.as_ref()?.base64());
    let mut block = Vec::with_capacity(start + texts.map(|text| text.len() / 4 * 3 + 2 * DOUBLE).sum::<usize>());
    block.resize(table, 0);
    block.extend_from_slice(&owners.bytes);
    block.extend_from_slice(&pubkeys);
    block.extend_from_slice(found.context.as_bytes());
    let mut doubles = Vec::with_capacity(HEAD + ROW * rows.len());
    doubles.extend([size(rows.len())?, size(owners.numbers.len())?, size(context)?, size(found.context.len())?]);
    for (row, owner) in rows.iter().zip(numbers) {
        doubles.extend(match &row.account {
            None => [0.0, 0.0, f64::NAN, 0.0, -1.0, 0.0, 0.0],
            Some(account) => write_account(account, f64::from(owner), &mut block)?,
        });
    }
    for (place, double) in block.chunks_exact_mut(DOUBLE).zip(doubles) {
        place.copy_from_slice(&double.to_le_bytes());
    }
    Some(block)
}

/// Appends the data and returns the row.
fn write_account(account: &Account<'_>, owner: f64, block: &mut Vec<u8>) -> Option<[f64; ROW]> {
    block.resize(block.len().next_multiple_of(DOUBLE), 0);
    let offset = block.len();
    STANDARD.decode_vec(account.base64()?, block).ok()?;
    let numbers = account.numbers()?;
    let executable = f64::from(u8::from(account.executable));
    let length = size(block.len() - offset)?;
    Some([numbers.lamports, numbers.rent_epoch, numbers.space, executable, owner, size(offset)?, length])
}

fn key(text: &str) -> Option<[u8; KEY]> {
    let mut bytes = [0; KEY];
    five8::decode_32(text, &mut bytes).ok().map(|()| bytes)
}

fn size(value: usize) -> Option<f64> {
    u32::try_from(value).ok().map(f64::from)
}
