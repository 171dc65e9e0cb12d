/**
 * @module __tests__/types/error
 *
 * What the compiler knows of errors: the union of codes, and what `isMooringError` narrows to.
 */
import { expectAssignable, expectError, expectNotAssignable, expectType } from 'tsd';
import { type ErrorCode, type ErrorDetails, isMooringError, type MooringError } from '../../dist/index.js';

declare const caught: unknown;

// Codes are a closed union: a typing mistake is an error of the compiler.
expectAssignable<ErrorCode>('MOORING_TIMEOUT');
expectAssignable<ErrorCode>('MOORING_NO_HEALTHY_ENDPOINT');
expectNotAssignable<ErrorCode>('MOORING_TIMED_OUT');
expectNotAssignable<ErrorCode>('TIMEOUT');

// The guard narrows what a catch clause gets.
if (isMooringError(caught, 'MOORING_TIMEOUT')) {
  expectType<MooringError>(caught);
  expectType<ErrorCode>(caught.code);
  expectType<readonly string[]>(caught.labels);
  expectType<ErrorDetails>(caught.details);
  expectAssignable<Error>(caught);
}
expectError(isMooringError(caught, 'MOORING_TIMED_OUT'));

// Facts are read, not written, and each may be missing.
declare const error: MooringError;
expectType<string | number | boolean | undefined>(error.details['attempts']);
expectError((error.code = 'MOORING_CLOSED'));
expectError((error.details['attempts'] = 3));

// A switch over the codes can be shown to be complete.
function retryable(code: ErrorCode): boolean {
  switch (code) {
    case 'MOORING_TIMEOUT':
    case 'MOORING_DISCONNECTED':
    case 'MOORING_CONFLICT':
    case 'MOORING_RATE_LIMITED':
    case 'MOORING_POOL_EXHAUSTED':
    case 'MOORING_NO_HEALTHY_ENDPOINT':
      return true;
    case 'MOORING_INVALID_ARGUMENT':
    case 'MOORING_INVALID_CONFIG':
    case 'MOORING_UNSUPPORTED_PLATFORM':
    case 'MOORING_CONNECT_FAILED':
    case 'MOORING_AUTH_FAILED':
    case 'MOORING_CLOSED':
    case 'MOORING_ABORTED':
    case 'MOORING_SERVER_ERROR':
    case 'MOORING_UNKNOWN_COMMIT':
    case 'MOORING_PROTOCOL':
    case 'MOORING_INTERNAL':
      return false;
    default:
      expectType<never>(code);
      return false;
  }
}
expectType<boolean>(retryable('MOORING_CLOSED'));
