/**
 * @module dev/solana-rpc/chain-methods
 *
 * JSON-RPC methods about the node, its slots, its blockhashes and blocks.
 */
import { behind, invalidParams, refuseProcessed, RpcError } from './errors.mjs';
import { blockTransaction } from './history-methods.mjs';

const SLOTS_PER_EPOCH = 432_000;
const MAX_BLOCK_RANGE = 500_000;
const MAX_LEADERS = 5000;
const MAX_SAMPLES = 720;
const SAMPLE_SECONDS = 60;

function getHealth(front) {
  const slots = front.slotsBehind();
  if (slots > 0) throw behind(slots);
  return 'ok';
}

function getLatestBlockhash(front, [config]) {
  const block = front.blockAt(config?.commitment);
  return {
    context: front.context(config?.commitment),
    value: { blockhash: block.hash, lastValidBlockHeight: front.heightOf(block) + 150 },
  };
}

function isBlockhashValid(front, [hash, config]) {
  return { context: front.context(config?.commitment), value: front.ledger.isHashUsable(hash, front.slotAt(config?.commitment)) };
}

function getEpochInfo(front, [config]) {
  const slot = front.slotAt(config?.commitment);
  return {
    absoluteSlot: slot,
    blockHeight: front.heightOf(front.blockAt(config?.commitment)),
    epoch: Math.floor(slot / SLOTS_PER_EPOCH),
    slotIndex: slot % SLOTS_PER_EPOCH,
    slotsInEpoch: SLOTS_PER_EPOCH,
    transactionCount: front.ledger.transactions.size,
  };
}

function getBlock(front, [slot, config]) {
  const {
    commitment,
    transactionDetails = 'full',
    rewards = true,
    encoding = 'json',
    maxSupportedTransactionVersion,
  } = typeof config === 'string' ? { encoding: config } : (config ?? {});
  refuseProcessed(commitment);
  if (slot > front.slotAt(commitment)) throw new RpcError(-32004, `Block not available for slot ${slot}`);
  const block = front.ledger.blockAt(slot);
  if (block.slot !== slot) throw new RpcError(-32007, `Slot ${slot} was skipped, or missing due to ledger jump to recent snapshot`);
  const records = block.signatures.map((signature) => front.ledger.transactions.get(signature));
  const full = transactionDetails === 'full' || transactionDetails === 'accounts';
  return {
    blockHeight: front.heightOf(block),
    blockTime: block.time,
    blockhash: block.hash,
    parentSlot: block.parentSlot,
    previousBlockhash: block.previousHash,
    ...(rewards ? { rewards: [] } : {}),
    ...(full ? { transactions: records.map((record) => blockTransaction(record, { encoding, maxSupportedTransactionVersion })) } : {}),
    ...(transactionDetails === 'signatures' ? { signatures: block.signatures } : {}),
  };
}

function slotsOfBlocks(front, { first, last, commitment }) {
  refuseProcessed(commitment);
  const end = Math.min(last, front.slotAt(commitment));
  return front.ledger.blocks.map((block) => block.slot).filter((slot) => slot >= first && slot <= end);
}

function getBlocks(front, [first, ...rest]) {
  const last = typeof rest[0] === 'number' ? rest[0] : Infinity;
  if (last - first > MAX_BLOCK_RANGE && last !== Infinity) throw invalidParams(`Slot range too large; max ${MAX_BLOCK_RANGE}`);
  return slotsOfBlocks(front, { first, last, commitment: rest.find((part) => typeof part === 'object')?.commitment });
}

const getBlocksWithLimit = (front, [first, limit, config]) =>
  slotsOfBlocks(front, { first, last: Infinity, commitment: config?.commitment }).slice(0, limit);

function getBlockTime(front, [slot]) {
  if (slot > front.slotAt('finalized')) throw new RpcError(-32004, `Block not available for slot ${slot}`);
  const block = front.ledger.blockAt(slot);
  if (block.slot !== slot) throw new RpcError(-32007, `Slot ${slot} was skipped, or missing due to ledger jump to recent snapshot`);
  return block.time;
}

/** Transactions of the last minutes, newest first, in samples of 60 s. Nobody votes here. */
function getRecentPerformanceSamples(front, [limit = MAX_SAMPLES]) {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_SAMPLES) throw invalidParams(`Invalid limit; max ${MAX_SAMPLES}`);
  const blocks = front.ledger.blocks.filter((block) => block.slot <= front.slotAt('processed'));
  const samples = new Map();
  for (const block of blocks.toReversed()) {
    const minute = Math.floor(block.time / SAMPLE_SECONDS);
    const sample = samples.get(minute) ?? { first: block.slot, slot: block.slot, transactions: 0 };
    samples.set(minute, { ...sample, first: block.slot, transactions: sample.transactions + block.signatures.length });
  }
  return [...samples.values()].slice(0, limit).map(({ first, slot, transactions }) => ({
    numNonVoteTransactions: transactions,
    numSlots: slot - first + 1,
    numTransactions: transactions,
    samplePeriodSecs: SAMPLE_SECONDS,
    slot,
  }));
}

function getSlotLeaders(front, [first, limit]) {
  if (!Number.isInteger(first) || first < 0) throw invalidParams('Invalid params: invalid type: expected u64.');
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LEADERS) throw invalidParams(`Invalid limit; max ${MAX_LEADERS}`);
  return Array.from({ length: limit }, () => front.ledger.leader);
}

export const chainMethods = {
  getHealth,
  getVersion: () => ({ 'feature-set': 0, 'solana-core': '4.2.2' }),
  getGenesisHash: (front) => front.ledger.genesisHash,
  getIdentity: (front) => ({ identity: front.identity }),
  getSlot: (front, [config]) => front.slotAt(config?.commitment),
  getBlockHeight: (front, [config]) => front.heightOf(front.blockAt(config?.commitment)),
  getTransactionCount: (front) => front.ledger.transactions.size,
  getEpochSchedule: () => ({
    firstNormalEpoch: 0,
    firstNormalSlot: 0,
    leaderScheduleSlotOffset: SLOTS_PER_EPOCH,
    slotsPerEpoch: SLOTS_PER_EPOCH,
    warmup: false,
  }),
  getFirstAvailableBlock: (front) => front.ledger.blocks[0].slot,
  minimumLedgerSlot: (front) => front.ledger.blocks[0].slot,
  getRecentPrioritizationFees: (front) => [{ prioritizationFee: 0, slot: front.slotAt('processed') }],
  getSlotLeader: (front) => front.ledger.leader,
  getSlotLeaders,
  getRecentPerformanceSamples,
  getVoteAccounts: () => ({ current: [], delinquent: [] }),
  getLatestBlockhash,
  isBlockhashValid,
  getEpochInfo,
  getBlock,
  getBlocks,
  getBlocksWithLimit,
  getBlockTime,
};
