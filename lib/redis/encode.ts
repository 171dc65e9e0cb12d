/**
 * @module redis/encode
 *
 * Writes commands as RESP into one reused buffer, with one descriptor each, for a single hand-over per tick.
 *
 * Guarantees: the bytes of a command are complete or absent; a command that fails to encode leaves nothing behind. Does not know promises.
 */
import { invalidArgument } from '../error/index.js';
import type { CommandSpec } from './commands.js';
import type { RedisValue } from './transformers.js';

/** Numbers per descriptor; the layout is `src/redis/connection.rs`. */
const STRIDE = 8;
const BUFFER_BYTES = 256 * 1024;
/** A buffer that has grown beyond this is not kept after the hand-over. */
const KEEP_BYTES = 4 * 1024 * 1024;
const DESCRIPTORS = 512;
/** Below this many characters a loop beats the native call. */
const LOOP_CHARACTERS = 40;
/** The longest command and the longest time that a descriptor can hold. */
const MOST = 0x7fff_ffff;
/** The widest length line: `$536870912\r\n`, and the trailing CRLF. */
const FRAME_BYTES = 16;
const CR = 13;
const LF = 10;
const ZERO = 48;
const DOLLAR = 36;

/** `utf8Write` and `latin1Slice` are Node's own fast paths. */
interface FastBuffer extends Buffer {
  utf8Write(text: string, offset: number): number;
}

/** What a descriptor says besides lengths and flags. */
export interface Placement {
  /** Pipeline or MULTI the command belongs to; 0 for none. */
  readonly group: number;
  /** Position in the group. */
  readonly index: number;
  /** Milliseconds the command may take; 0 for no limit. */
  readonly deadlineMs: number;
}

/** The out-buffer of one connection. */
export class OutBuffer {
  /** Encoded bytes: `[0, length)`. */
  buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES) as FastBuffer;
  descriptors = new Int32Array(DESCRIPTORS * STRIDE);
  length = 0;
  commands = 0;

  /** Appends one command. */
  append(spec: CommandSpec, args: readonly RedisValue[], placement: Placement): void {
    const start = this.length;
    const prefix = spec.prefix(args.length);
    let at = this.#room(start, prefix.length);
    const { buffer } = this;
    for (let index = 0; index < prefix.length; index++) buffer[at++] = prefix[index] as number;
    const repeated = spec.repeated(args);
    if (repeated !== undefined) at = this.#copy(repeated.bytes, at);
    for (let index = repeated === undefined ? 0 : repeated.args.length; index < args.length; index++) {
      const argument = args[index] as RedisValue;
      if (typeof argument === 'string') at = this.#text(argument, at);
      else if (typeof argument === 'number') at = this.#text(String(argument), at);
      else at = this.#bytes(argument, at);
    }
    if (at - start > MOST) throw invalidArgument('args', `command is larger than ${MOST} bytes`);
    this.length = at;
    this.#describe(spec, args, placement, at - start);
  }

  /** Forgets what was handed over. */
  clear(): void {
    this.length = 0;
    this.commands = 0;
    if (this.buffer.length > KEEP_BYTES) this.buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES) as FastBuffer;
  }

  #describe(spec: CommandSpec, args: readonly RedisValue[], placement: Placement, bytes: number): void {
    const base = this.commands * STRIDE;
    if (base + STRIDE > this.descriptors.length) {
      const larger = new Int32Array(this.descriptors.length * 2);
      larger.set(this.descriptors);
      this.descriptors = larger;
    }
    const { descriptors } = this;
    const blocking = spec.blockingMs(args);
    descriptors[base] = bytes;
    descriptors[base + 1] = spec.flagsWith(args, blocking);
    descriptors[base + 2] = placement.group;
    descriptors[base + 3] = placement.index;
    descriptors[base + 4] = placement.deadlineMs > 0 ? Math.min(Math.ceil(placement.deadlineMs), MOST) : 0;
    descriptors[base + 5] = spec.script;
    descriptors[base + 6] = blocking;
    descriptors[base + 7] = (spec.flags & 32) === 0 ? 1 : args.length;
    this.commands += 1;
  }

  #text(text: string, start: number): number {
    const count = text.length;
    let at = this.#room(start, count * 3 + FRAME_BYTES);
    const { buffer } = this;
    const body = this.#lengthLine(at, count);
    at = body;
    if (count < LOOP_CHARACTERS) {
      let index = 0;
      for (; index < count; index++) {
        const code = text.charCodeAt(index);
        if (code > 127) break;
        buffer[at++] = code;
      }
      if (index === count) return this.#end(at);
    }
    const written = buffer.utf8Write(text, body);
    if (written === count) return this.#end(body + written);
    // Not ASCII: the length line may be longer than guessed, so write both again.
    const moved = this.#lengthLine(start, written);
    return this.#end(moved + buffer.utf8Write(text, moved));
  }

  #copy(bytes: Uint8Array, start: number): number {
    const at = this.#room(start, bytes.length);
    this.buffer.set(bytes, at);
    return at + bytes.length;
  }

  #bytes(bytes: Buffer, start: number): number {
    const at = this.#lengthLine(this.#room(start, bytes.length + FRAME_BYTES), bytes.length);
    this.buffer.set(bytes, at);
    return this.#end(at + bytes.length);
  }

  #lengthLine(start: number, length: number): number {
    const { buffer } = this;
    let at = start;
    buffer[at++] = DOLLAR;
    if (length < 10) buffer[at++] = ZERO + length;
    else if (length < 100) {
      buffer[at++] = ZERO + ((length / 10) | 0);
      buffer[at++] = ZERO + (length % 10);
    } else {
      const digits = String(length);
      for (let index = 0; index < digits.length; index++) buffer[at++] = digits.charCodeAt(index);
    }
    return this.#end(at);
  }

  #end(at: number): number {
    this.buffer[at] = CR;
    this.buffer[at + 1] = LF;
    return at + 2;
  }

  /** Makes room for `bytes` more from `at`, and for a frame around them; returns `at`. */
  #room(at: number, bytes: number): number {
    const needed = at + bytes + FRAME_BYTES;
    if (needed <= this.buffer.length) return at;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.buffer.length * 2, needed)) as FastBuffer;
    this.buffer.copy(larger, 0, 0, at);
    this.buffer = larger;
    return at;
  }
}
