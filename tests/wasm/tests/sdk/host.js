// What the tests need of whoever runs them: a browser's dedicated worker, or Node in its place.

const node = globalThis.process?.versions?.node !== undefined;
const fs = node ? await import('node:fs') : undefined;

export function host() {
  return node ? 'node' : 'web';
}

export function relay() {
  if (node) return process.env.SEALWIRE_RELAY;
  // The task runner lets the relay listen on the port after the page's.
  const page = new URL(self.origin);
  return `http://${page.hostname}:${Number(page.port) + 1}`;
}

export function nativeStore() {
  return new Uint8Array(fs.readFileSync(process.env.SEALWIRE_NATIVE_STORE));
}

// The SDK's folder in the file system of the origin.
async function folder() {
  const root = await navigator.storage.getDirectory();
  return root.getDirectoryHandle('.sealwire', { create: true });
}

async function* files(directory) {
  for await (const [, entry] of directory.entries()) {
    if (entry.kind === 'directory') yield* files(entry);
    else yield entry;
  }
}

export async function everything() {
  const parts = [];
  for await (const file of files(await folder())) {
    parts.push(new Uint8Array(await (await file.getFile()).arrayBuffer()));
  }
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

// A file of the SDK's: its name, zeros up to the first sector's end, and then what is in it.
const HEAD = 4096;

export async function replace(name, bytes) {
  for await (const file of files(await folder())) {
    const head = new Uint8Array(await (await file.getFile()).arrayBuffer()).subarray(0, 512);
    const end = head.indexOf(0);
    if (new TextDecoder().decode(head.subarray(0, end)) !== name) continue;
    const handle = await file.createSyncAccessHandle();
    handle.truncate(HEAD);
    handle.write(bytes, { at: HEAD });
    handle.close();
    return;
  }
  throw new Error(`there is no ${name}`);
}

const held = [];

export async function hold() {
  for await (const file of files(await folder())) held.push(await file.createSyncAccessHandle());
}

export function giveBack() {
  held.splice(0).forEach((handle) => handle.close());
}

// ── Node: the part of the origin private file system that there is no file system for ──────────

class FileSystemSyncAccessHandle {
  constructor(file) {
    this.file = file;
    file.isHeld = true;
  }
  getSize() {
    return this.file.bytes.length;
  }
  read(into, { at = 0 } = {}) {
    const part = this.file.bytes.subarray(at, at + into.byteLength);
    new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(part);
    return part.length;
  }
  write(from, { at = 0 } = {}) {
    if (at + from.byteLength > this.file.bytes.length) this.truncate(at + from.byteLength);
    this.file.bytes.set(new Uint8Array(from.buffer, from.byteOffset, from.byteLength), at);
    return from.byteLength;
  }
  truncate(size) {
    const bytes = new Uint8Array(size);
    bytes.set(this.file.bytes.subarray(0, size));
    this.file.bytes = bytes;
  }
  flush() {}
  close() {
    this.file.isHeld = false;
  }
}

class FileSystemFileHandle {
  kind = 'file';
  bytes = new Uint8Array();
  isHeld = false;
  async createSyncAccessHandle() {
    if (this.isHeld) throw new DOMException('somebody has it', 'NoModificationAllowedError');
    return new FileSystemSyncAccessHandle(this);
  }
  async getFile() {
    return new Blob([this.bytes]);
  }
}

class FileSystemDirectoryHandle {
  kind = 'directory';
  children = new Map();
  async *entries() {
    yield* [...this.children];
  }
  child(name, Kind, create) {
    if (!this.children.has(name)) {
      if (!create) throw new DOMException('there is none', 'NotFoundError');
      this.children.set(name, new Kind());
    }
    return this.children.get(name);
  }
  async getDirectoryHandle(name, { create = false } = {}) {
    return this.child(name, FileSystemDirectoryHandle, create);
  }
  async getFileHandle(name, { create = false } = {}) {
    return this.child(name, FileSystemFileHandle, create);
  }
  async removeEntry(name) {
    this.children.delete(name);
  }
}

export function prepare() {
  if (!node || globalThis.DedicatedWorkerGlobalScope) return;
  const root = new FileSystemDirectoryHandle();
  const navigator = { storage: { getDirectory: async () => root } };
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  globalThis.DedicatedWorkerGlobalScope = class {
    static [Symbol.hasInstance](scope) {
      return scope === globalThis;
    }
  };
  Object.assign(globalThis, {
    FileSystemDirectoryHandle,
    FileSystemFileHandle,
    FileSystemSyncAccessHandle,
  });
}
