/** @module __tests__/mongo/gridfs: the bucket class of the host's driver, over mooring's database. */
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Db as HostDb, GridFSBucket, ObjectId } from 'mongodb';
import { type MongoClient } from '../../dist/index.js';
import { connected, failureOf } from './fixture';

let client: MongoClient;
let bucket: GridFSBucket;

beforeAll(async () => {
  client = await connected('mooring_gridfs');
  bucket = new GridFSBucket(client.db() as unknown as HostDb, { bucketName: 'pictures', chunkSizeBytes: 1024 });
});
afterAll(() => client.close());

test('stores a file in chunks and gives it back whole, and in part', async () => {
  const bytes = randomBytes(10_000);
  const upload = bucket.openUploadStream('cat.png', { metadata: { owner: 'ada' } });
  await pipeline(Readable.from([bytes]), upload);
  expect(upload.gridFSFile).toMatchObject({ length: 10_000, chunkSize: 1024, filename: 'cat.png', metadata: { owner: 'ada' } });
  expect(await client.db().collection('pictures.chunks').countDocuments()).toBe(10);
  expect((await buffer(bucket.openDownloadStream(upload.id))).equals(bytes)).toBe(true);
  const part = await buffer(bucket.openDownloadStreamByName('cat.png', { start: 1000, end: 3000 }));
  expect(part.equals(bytes.subarray(1000, 3000))).toBe(true);
});

test('makes its indexes, lists, renames, deletes and aborts', async () => {
  const upload = bucket.openUploadStreamWithId(new ObjectId(), 'dog.png');
  await pipeline(Readable.from([Buffer.from('woof')]), upload);
  expect(await client.db().collection('pictures.files').indexExists('filename_1_uploadDate_1')).toBe(true);
  expect(await client.db().collection('pictures.chunks').indexExists('files_id_1_n_1')).toBe(true);
  await bucket.rename(upload.id, 'wolf.png');
  expect(await bucket.find({ filename: 'wolf.png' }).toArray()).toMatchObject([{ _id: upload.id, length: 4 }]);
  await bucket.delete(upload.id);
  expect(await client.db().collection('pictures.chunks').countDocuments({ files_id: upload.id })).toBe(0);
  expect((await failureOf(() => bucket.delete(upload.id))).message).toContain('File not found');
  const aborted = bucket.openUploadStream('never.png');
  await new Promise((resolve) => aborted.write(randomBytes(5000), resolve));
  await aborted.abort();
  expect(await client.db().collection('pictures.chunks').countDocuments({ files_id: aborted.id })).toBe(0);
  await bucket.drop();
  expect(
    await client
      .db()
      .listCollections({ name: /^pictures/ })
      .toArray(),
  ).toEqual([]);
});

test('says that a file is not there', async () => {
  const reading = buffer(bucket.openDownloadStreamByName('nothing'));
  expect((await failureOf(() => reading)).message).toContain('FileNotFound');
});
