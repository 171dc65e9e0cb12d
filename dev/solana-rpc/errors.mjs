/**
 * @module dev/solana-rpc/errors
 *
 * JSON-RPC errors with the codes, texts and data of an agave node, and transaction errors in the shape serde gives them (`"AccountNotFound"`,
 * `{"InstructionError":[0,{"Custom":1}]}`).
 */
import { createRequire } from 'node:module';

const {
  InstructionErrorCustom,
  TransactionErrorInstructionError,
  TransactionErrorDuplicateInstruction,
  TransactionErrorInsufficientFundsForRent,
} = createRequire(import.meta.url)('litesvm/dist/internal.js');

/** Texts of agave's `TransactionError` that clients match on; others are shown by name. */
const TEXTS = {
  AccountNotFound: 'Attempt to debit an account but found no record of a prior credit.',
  AlreadyProcessed: 'This transaction has already been processed',
  BlockhashNotFound: 'Blockhash not found',
  InsufficientFundsForFee: 'Insufficient funds for fee',
  SignatureFailure: 'Transaction did not pass signature verification',
  SanitizeFailure: 'Transaction failed to sanitize accounts offsets correctly',
};

/** An error that goes to the client inside the envelope. */
export class RpcError extends Error {
  constructor(code, message, data) {
    super(message);
    this.code = code;
    this.data = data;
  }

  toJSON() {
    return { code: this.code, message: this.message, ...(this.data === undefined ? {} : { data: this.data }) };
  }
}

export const invalidParams = (text) => new RpcError(-32602, text);

/** Blocks and transactions may be asked for from `confirmed` on. */
export function refuseProcessed(commitment) {
  if (commitment === 'processed') throw invalidParams('Method does not support commitment below `confirmed`');
}

/** The error of litesvm's failed transaction in the JSON shape of agave. */
export function transactionError(failed) {
  const error = failed.err();
  if (typeof error === 'number') return nameOf(failed);
  if (error instanceof TransactionErrorInstructionError) return { InstructionError: [error.index, instructionError(error.err(), failed)] };
  if (error instanceof TransactionErrorDuplicateInstruction) return { DuplicateInstruction: error.index };
  const kind =
    error instanceof TransactionErrorInsufficientFundsForRent ? 'InsufficientFundsForRent' : 'ProgramExecutionTemporarilyRestricted';
  return { [kind]: { account_index: error.accountIndex } };
}

function instructionError(error, failed) {
  if (typeof error === 'number') return nameOf(failed);
  if (error instanceof InstructionErrorCustom) return { Custom: error.code };
  return { BorshIoError: error.msg };
}

/** Errors without fields are numbers, and litesvm does not export their names at run time: its text has them (`err: InstructionError(0, InvalidArgument)`). */
function nameOf(failed) {
  const name = /\berr: (?:InstructionError\(\d+, )?(\w+)/.exec(failed.toString())?.[1];
  if (name === undefined) throw new Error(`no error name in ${failed.toString().slice(0, 200)}`);
  return name;
}

/** The sentence agave prints for a transaction error. */
export function describe(error) {
  if (typeof error === 'string') return TEXTS[error] ?? error;
  if (error.InstructionError === undefined) return JSON.stringify(error);
  const [index, cause] = error.InstructionError;
  const text = cause.Custom === undefined ? (cause.BorshIoError ?? inWords(cause)) : `custom program error: 0x${cause.Custom.toString(16)}`;
  return `Error processing Instruction ${index}: ${text}`;
}

/** `InvalidInstructionData` to `invalid instruction data`: agave's wording of most instruction errors. */
const inWords = (name) => name.replace(/\B[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

/** -32002, the answer of a preflight that failed. */
export function preflightFailure({ err, logs = [], unitsConsumed = 0 }) {
  const data = {
    accounts: null,
    err,
    innerInstructions: null,
    loadedAccountsDataSize: 0,
    logs,
    replacementBlockhash: null,
    returnData: null,
    unitsConsumed,
  };
  return new RpcError(-32002, `Transaction simulation failed: ${describe(err)}`, data);
}

export const behind = (slots) => new RpcError(-32005, `Node is behind by ${slots} slots`, { numSlotsBehind: slots });
export const slotNotReached = (contextSlot) => new RpcError(-32016, 'Minimum context slot has not been reached', { contextSlot });
