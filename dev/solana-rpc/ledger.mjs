/**
 * @module dev/solana-rpc/ledger
 *
 * One chain over one real SVM (litesvm): slots, blocks, blockhashes that live 150 blocks, transactions and the history of every account they touched, so that
 * a front end can answer as of an older slot. Programs run for real; leaders, votes, epochs and rent collection do not exist here.
 */
import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { fromBase58, toBase58 } from './base58.mjs';
import { transactionError } from './errors.mjs';
import { feeOf, nonceAccount, readTransaction } from './transaction.mjs';
import { newSigner, signedTransfer } from './transfer.mjs';

const { Account, FailedTransactionMetadata, LiteSvm } = createRequire(import.meta.url)('litesvm/dist/internal.js');

/** Blocks after which a blockhash may not be used any more. */
export const BLOCKHASH_BLOCKS = 150;
/** The chain starts with a past of 3000 empty blocks, so that lagging nodes have something to show; heights are far below slots, as on a real chain. */
const FIRST_SLOT = 10_000;
const FIRST_HEIGHT = 7_000;
const PAST_BLOCKS = 3000;
const FAUCET_LAMPORTS = 10n ** 18n;
const NONCE_BYTES = 80;
/** As many as the sysvar of a real chain holds. */
const SLOT_HASHES = 512;
const KEPT_BLOCKS = 5000;
const KEPT_VERSIONS = 500;
const KEPT_CHANGES = 100_000;
/** Errors after which a leader drops a transaction: it is not in any block and pays no fee. */
const NOT_INCLUDED = new Set([
  'AccountNotFound',
  'InsufficientFundsForFee',
  'InvalidAccountForFee',
  'SanitizeFailure',
  'SignatureFailure',
  'AlreadyProcessed',
]);

export class Ledger {
  constructor({ slotMs = 400, skipRate = 0 } = {}) {
    this.slotMs = slotMs;
    this.skipRate = skipRate;
    this.svm = makeSvm();
    this.genesisHash = toBase58(randomBytes(32));
    this.leader = toBase58(randomBytes(32)); // of every slot
    this.slot = FIRST_SLOT - PAST_BLOCKS;
    this.blocks = []; // oldest first; skipped slots have none
    this.blockOfHash = new Map();
    this.transactions = new Map(); // signature -> record, in the order of landing
    this.records = []; // the same records by order
    this.accounts = new Map(); // key -> [{ slot, account }], oldest first
    this.changes = []; // [{ slot, key }] in order, for subscriptions
    this.changesDropped = 0;
    this.late = []; // [{ slot, transaction }]
    this.listeners = new Set();
    for (; this.slot < FIRST_SLOT; this.slot += 1) this.#addBlock();
    this.#addBlock();
    this.faucet = newSigner();
    this.airdrops = 0;
    this.svm.airdrop(this.faucet.bytes, FAUCET_LAMPORTS / 2n);
  }

  get height() {
    return this.blocks.at(-1).height;
  }

  /** Starts the clock; nothing moves by itself when `slotMs` is 0. */
  start() {
    if (this.slotMs > 0) this.timer = setInterval(() => this.advance(1), this.slotMs);
  }

  stop() {
    clearInterval(this.timer);
  }

  /** Moves the chain on by `slots` slots. */
  advance(slots) {
    for (let i = 0; i < slots; i++) {
      this.slot += 1;
      if (Math.random() >= this.skipRate) this.#addBlock();
      this.svm.warpToSlot(BigInt(this.slot));
      this.svm.expireBlockhash();
      const due = this.late.filter((entry) => entry.slot <= this.slot);
      this.late = this.late.filter((entry) => entry.slot > this.slot);
      for (const { transaction } of due) this.land(transaction);
    }
    this.#tellSlotHashes();
    this.#changed();
  }

  /** The sysvar with past slots, which programs read (creating a lookup table does). */
  #tellSlotHashes() {
    const past = this.blocks.slice(-1 - SLOT_HASHES, -1).toReversed();
    this.svm.setSlotHashes(past.map(({ slot, hash }) => ({ slot: BigInt(slot), hash })));
  }

  #addBlock() {
    const previous = this.blocks.at(-1);
    const block = {
      slot: this.slot,
      parentSlot: previous?.slot ?? this.slot - 1,
      height: (previous?.height ?? FIRST_HEIGHT - PAST_BLOCKS - 1) + 1,
      hash: toBase58(randomBytes(32)),
      previousHash: previous?.hash ?? this.genesisHash,
      time: Math.floor((Date.now() - Math.max(0, FIRST_SLOT - this.slot) * 400) / 1000),
      signatures: [],
    };
    this.blocks.push(block);
    this.blockOfHash.set(block.hash, block);
    if (this.blocks.length > KEPT_BLOCKS) this.blockOfHash.delete(this.blocks.shift().hash);
  }

  /** The newest block at or before a slot. */
  blockAt(slot) {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.blocks[middle].slot <= slot) low = middle;
      else high = middle - 1;
    }
    return this.blocks[low];
  }

  /** Whether a hash may be used in a block that follows the one at `slot`. */
  isHashUsable(hash, slot = this.slot) {
    const block = this.blockOfHash.get(hash);
    return block !== undefined && block.slot <= slot && this.blockAt(slot).height <= block.height + BLOCKHASH_BLOCKS;
  }

  /** Whether the transaction's lifetime allows it: a usable blockhash or the stored value of its nonce account. */
  isAlive(transaction, slot = this.slot) {
    if (this.isHashUsable(transaction.blockhash, slot)) return true;
    const nonce = nonceAccount(transaction);
    const data = nonce === undefined ? undefined : this.accountAt(nonce, slot)?.data;
    return data?.length === NONCE_BYTES && toBase58(data.subarray(40, 72)) === transaction.blockhash;
  }

  /** What the leader does: runs a transaction once, drops it when it is dead, a duplicate or cannot pay. */
  land(transaction) {
    if (this.transactions.has(transaction.signature) || !this.isAlive(transaction)) return;
    const keys = this.allKeys(transaction);
    this.#remember(keys);
    const before = keys.map((key) => this.#balance(key));
    const result = this.svm.sendVersionedTransaction(transaction.bytes);
    const failed = result instanceof FailedTransactionMetadata;
    const err = failed ? transactionError(result) : null;
    if (NOT_INCLUDED.has(err)) return;
    if (failed) this.#advanceNonce(nonceAccount(transaction), transaction.blockhash);
    this.#record({ transaction, keys, before, err, meta: failed ? result.meta() : result });
  }

  /** A failed transaction uses its durable nonce up as well; litesvm rolls that back with everything else. */
  #advanceNonce(key, used) {
    const account = key === undefined ? null : this.svm.getAccount(fromBase58(key));
    const data = account === null ? Buffer.alloc(0) : Buffer.from(account.data());
    if (data.length !== NONCE_BYTES || toBase58(data.subarray(40, 72)) !== used) return;
    const next = createHash('sha256')
      .update('DURABLE_NONCE')
      .update(fromBase58(this.blockAt(this.slot).hash))
      .digest();
    next.copy(data, 40);
    this.svm.setAccount(fromBase58(key), new Account(account.lamports(), data, account.owner(), account.executable(), 0n));
  }

  /** Lands later, `slots` from now. */
  landLate(transaction, slots) {
    this.late.push({ slot: this.slot + slots, transaction });
  }

  /** Runs a transaction without keeping what it does. */
  simulate(transaction) {
    const result = this.svm.simulateVersionedTransaction(transaction.bytes);
    const failed = result instanceof FailedTransactionMetadata;
    return { err: failed ? transactionError(result) : null, meta: result.meta(), accounts: failed ? [] : result.postAccounts() };
  }

  /** A payment from the faucet, in a transaction like any other; returns its signature. */
  airdrop(key, lamports) {
    this.airdrops += 1;
    const bytes = signedTransfer({ from: this.faucet, to: key, lamports, blockhash: this.blockAt(this.slot).hash, nonce: this.airdrops });
    const transaction = readTransaction(bytes);
    this.land(transaction);
    const { err } = this.transactions.get(transaction.signature) ?? { err: 'faucet is empty' };
    if (err !== null) throw new Error(`airdrop failed: ${JSON.stringify(err)}`);
    return transaction.signature;
  }

  /** Writes an account past all rules of the runtime. */
  setAccount(key, account) {
    this.#remember([key]);
    this.svm.setAccount(fromBase58(key), account);
    this.#noteChanges([key]);
    this.#changed();
  }

  #record({ transaction, keys, before, err, meta }) {
    const after = keys.map((key) => this.#balance(key));
    const block = this.blockAt(this.slot);
    const record = {
      signature: transaction.signature,
      transaction,
      keys,
      err,
      slot: this.slot,
      time: block.time,
      fee: feeOf(transaction),
      before,
      after,
      logs: meta.logs(),
      unitsConsumed: Number(meta.computeUnitsConsumed()),
      order: this.transactions.size,
    };
    this.transactions.set(record.signature, record);
    this.records.push(record);
    if (block.slot === this.slot) block.signatures.push(record.signature);
    this.#noteChanges(keys);
    this.#changed();
  }

  /** Keeps the state before the first change, valid since ever. */
  #remember(keys) {
    for (const key of keys) if (!this.accounts.has(key)) this.accounts.set(key, [{ slot: 0, account: this.#read(key) }]);
  }

  #noteChanges(keys) {
    for (const key of keys) {
      const account = this.#read(key);
      const versions = this.accounts.get(key);
      if (sameAccount(versions.at(-1).account, account)) continue;
      if (versions.at(-1).slot === this.slot) versions.pop();
      versions.push({ slot: this.slot, account });
      if (versions.length > KEPT_VERSIONS) versions.shift();
      this.changes.push({ slot: this.slot, key });
    }
    const excess = this.changes.length - KEPT_CHANGES;
    if (excess > 0) {
      this.changes.splice(0, excess);
      this.changesDropped += excess;
    }
  }

  #changed() {
    for (const listener of this.listeners) listener();
  }

  #balance(key) {
    return this.svm.getBalance(fromBase58(key)) ?? 0n;
  }

  #read(key) {
    const account = this.svm.getAccount(fromBase58(key));
    if (account === null || account.lamports() === 0n) return null;
    return {
      lamports: account.lamports(),
      data: Buffer.from(account.data()),
      owner: toBase58(account.owner()),
      executable: account.executable(),
    };
  }

  /** The account as of a slot, null when it did not exist. */
  accountAt(key, slot) {
    const versions = this.accounts.get(key);
    if (versions === undefined) return this.#read(key);
    for (let i = versions.length - 1; i >= 0; i--) if (versions[i].slot <= slot) return versions[i].account;
    return versions[0].account;
  }

  /** `[key, account]` of a program's accounts as of a slot. An account closed since then is missing. */
  programAccountsAt(program, slot) {
    const found = [];
    for (const entry of this.svm.getProgramAccounts(fromBase58(program))) {
      const key = toBase58(entry.address);
      const account = this.accountAt(key, slot);
      if (account?.owner === program) found.push([key, account]);
    }
    return found;
  }

  /** Transactions from the n-th landed one on. */
  recordsFrom(order) {
    return this.records.slice(order);
  }

  /** Static keys, then the writable and the read-only ones of its lookup tables. */
  allKeys(transaction) {
    const writable = [];
    const readonly = [];
    for (const lookup of transaction.lookups) {
      const data = this.accountAt(lookup.table, this.slot)?.data ?? Buffer.alloc(0);
      const at = (i) => toBase58(data.subarray(56 + 32 * i, 88 + 32 * i));
      writable.push(...lookup.writable.map(at));
      readonly.push(...lookup.readonly.map(at));
    }
    return [...transaction.keys, ...writable, ...readonly];
  }
}

function makeSvm() {
  const svm = new LiteSvm();
  svm.setSysvars();
  svm.setBuiltins();
  svm.setDefaultPrograms();
  svm.setPrecompiles();
  svm.setSigverify(true);
  svm.setBlockhashCheck(false); // the SVM knows only its latest hash; the ledger checks the ring of 150
  svm.setTransactionHistory(1_000_000n);
  svm.setLamports(FAUCET_LAMPORTS);
  svm.withNativeMints();
  svm.warpToSlot(BigInt(FIRST_SLOT));
  return svm;
}

function sameAccount(a, b) {
  if (a === null || b === null) return a === b;
  return a.lamports === b.lamports && a.owner === b.owner && a.executable === b.executable && a.data.equals(b.data);
}
