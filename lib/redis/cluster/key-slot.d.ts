/** @module redis/cluster/key-slot: types of the package `cluster-key-slot`, which brings none. */
declare module 'cluster-key-slot' {
  /** The slot of a key: CRC16 of the key or of its hash tag, 0 to 16383. */
  function keySlot(key: string | Uint8Array): number;
  export = keySlot;
}
