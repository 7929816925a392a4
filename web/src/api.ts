// The native API (docs/reference/api.md), as far as the page uses it.
import { hearClock } from "./time";

export type Severity = "min" | "low" | "normal" | "high" | "critical";

/** Where a message was sent to, as an entry tells it. */
export interface FeedRef {
  id: string;
  kind: string;
  name: string;
  code: string;
}

/** A feed as the mailbox sees it. */
export interface Feed extends FeedRef {
  dialect: string;
  entries: number;
  unread: number;
  last_seq: number;
  can_write: boolean;
  /** How long one's own messages can be taken back; 0 = never. */
  recall_s: number;
  /** The other person of a direct feed. */
  peer: Peer | null;
}

export interface Peer {
  uid: string;
  name: string;
  online: boolean;
}

export interface Place {
  lat: number;
  lng: number;
  address: string;
}

/** What a person writes: exactly one of these. */
export interface Draft {
  text?: string;
  file?: string;
  duration_s?: number;
  location?: Place;
}

export interface Attachment {
  name: string;
  type: string;
  url: string;
  /** Bytes; 0 = unknown. */
  size: number;
}

export interface Action {
  text: string;
  url: string;
  /** With a key the action is answered, by this value; without one it is a link. */
  key: string;
  value: string;
  /** The label once it was pressed; empty = the same. */
  replace_text: string;
}

export interface Entry {
  kind: "entry";
  rev: number;
  seq: number;
  message_id: string;
  dialect: string;
  feed: FeedRef;
  sender: { name: string; kind: string };
  direction: "in" | "out";
  title: string;
  body: string;
  format: string;
  html: string;
  text: string;
  summary: string;
  severity: Severity;
  url: string;
  images: string[];
  tags: string[];
  attachments: Attachment[];
  actions: Action[];
  /** Key → value of the actions that were pressed. */
  answers: Record<string, string>;
  mentioned: boolean;
  created_at: string;
  read_at: string | null;
  recalled_at: string | null;
  kind_of: "text" | "image" | "voice" | "video" | "file" | "location" | "custom" | "command" | "message";
  location: Place | null;
  duration_s: number | null;
  custom: { event: string; exts: Record<string, string> } | null;
  /** When it reached the other side of a conversation, and was seen there. */
  delivered_at: string | null;
  seen_at: string | null;
  edited_at: string | null;
}

export interface Removed {
  kind: "removed";
  rev: number;
  seq: number;
}

export interface ReadUpTo {
  kind: "read_up_to";
  rev: number;
  seq: number;
  at: string;
}

export type Item = Entry | Removed | ReadUpTo;

export interface Page {
  items: Item[];
  next: number;
  gap: boolean;
  more?: boolean;
}

export interface Me {
  uid: string;
  name: string;
  role: string;
  space: string;
}

/** An answer other than 2xx; `status` 0 means that the server was not reached. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

async function request<T>(method: string, path: string, body?: unknown, once?: string): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: "same-origin",
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(once === undefined ? {} : { "idempotency-key": once }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    text = await response.text();
  } catch (cause) {
    throw new ApiError(0, "unreachable", String(cause));
  }
  hearClock(response.headers.get("date"));
  if (!response.ok) {
    const error = parseError(text);
    throw new ApiError(response.status, error.code, error.message);
  }
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

function parseError(text: string): { code: string; message: string } {
  try {
    return (JSON.parse(text) as { error: { code: string; message: string } }).error;
  } catch {
    return { code: "unreadable", message: text.slice(0, 200) };
  }
}

/** Upload one file; `progress` gets the share that is sent. Only XMLHttpRequest tells how far a body is. */
function upload(file: File, progress: (share: number) => void): Promise<{ id: string }> {
  const form = new FormData();
  form.append("file", file, file.name);
  return new Promise((resolve, reject) => {
    const call = new XMLHttpRequest();
    call.open("POST", "/api/v1/files");
    call.upload.onprogress = (event) => progress(event.lengthComputable ? event.loaded / event.total : 0);
    call.onerror = () => reject(new ApiError(0, "unreachable", "the upload was cut"));
    call.onload = () => {
      if (call.status === 201) return resolve(JSON.parse(call.responseText) as { id: string });
      const error = parseError(call.responseText);
      reject(new ApiError(call.status, error.code, error.message));
    };
    call.send(form);
  });
}

const PAGE_ITEMS = 50;

export const api = {
  login: (uid: string, password: string) => request<{ expires_at: string }>("POST", "/login", { uid, password }),
  logout: () => request<void>("POST", "/logout"),
  me: () => request<Me>("GET", "/me"),
  changes: (after: number) => request<Page>("GET", `/inbox?after=${after}&limit=200`),
  /** Entries before a seq, newest first; 0 = from the end. */
  history: (before: number, feed: string, query: string) => {
    const wanted = new URLSearchParams({ before: String(before), limit: String(PAGE_ITEMS) });
    if (feed) wanted.set("feed", feed);
    if (query) wanted.set("q", query);
    return request<Page>("GET", `/inbox?${wanted}`);
  },
  one: (seq: number) => request<Page>("GET", `/inbox/${seq}`),
  feeds: () => request<{ items: Feed[]; unread: number }>("GET", "/inbox/feeds"),
  read: (seq: number) => request<void>("POST", `/inbox/${seq}/read`),
  readUpTo: (seq: number) => request<void>("POST", "/inbox/read", { up_to: seq }),
  press: (seq: number, { key, value }: Action) => request<void>("POST", `/inbox/${seq}/press`, { key, value }),
  remove: (seq: number) => request<void>("DELETE", `/inbox/${seq}`),
  upload,
  converse: (uid: string) => request<{ feed: Feed }>("POST", "/inbox/conversations", { uid }),
  /** `once` makes a repeat the same message. */
  write: (feed: string, draft: Draft, once: string) =>
    request<{ message_id: string; seq: number }>("POST", `/inbox/feeds/${feed}/messages`, draft, once),
  recall: (seq: number) => request<void>("POST", `/inbox/${seq}/recall`),
  presence: (uids: string[]) => request<Record<string, boolean>>("GET", `/inbox/presence?uids=${encodeURIComponent(uids.join(","))}`),
};
