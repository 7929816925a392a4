// The native API (docs/reference/api.md), as far as the page uses it.

export type Severity = "min" | "low" | "normal" | "high" | "critical";

export interface Feed {
  id: string;
  kind: string;
  name: string;
  code?: string;
  unread?: number;
}

export interface Attachment {
  name: string;
  type: string;
  url: string;
  size: number;
}

export interface Action {
  text: string;
  url: string;
  key: string;
  value: string;
}

export interface Entry {
  kind: "entry";
  rev: number;
  seq: number;
  message_id: string;
  dialect: string;
  feed: Feed | null;
  sender: { name: string; kind: string };
  direction: "in" | "out";
  title: string;
  body: string;
  format: string;
  html: string;
  text: string;
  severity: Severity;
  url: string;
  images: string[];
  tags: string[];
  attachments: Attachment[];
  actions: Action[];
  mentioned?: boolean;
  created_at: string;
  read_at: string | null;
  recalled_at: string | null;
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
}

export type Item = Entry | Removed | ReadUpTo;

export interface Page {
  items: Item[];
  next: number;
  gap: boolean;
}

export interface Me {
  uid: string;
  name: string;
  role: string;
  language: string;
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

async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method,
      credentials: "same-origin",
      ...(body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }),
    });
  } catch (cause) {
    throw new ApiError(0, "unreachable", String(cause));
  }
  const text = await response.text();
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

export const api = {
  login: (uid: string, password: string) => request<{ expires_at: string }>("POST", "/login", { uid, password }),
  logout: () => request<void>("POST", "/logout"),
  me: () => request<Me>("GET", "/me"),
  changes: (after: number) => request<Page>("GET", `/inbox?after=${after}&limit=200`),
  history: (before: number, feed: string, query: string) =>
    request<Page>(
      "GET",
      `/inbox?limit=50${before > 0 ? `&before=${before}` : "&before=0"}` +
        `${feed ? `&feed=${encodeURIComponent(feed)}` : ""}${query ? `&q=${encodeURIComponent(query)}` : ""}`,
    ),
  feeds: () => request<{ items: Feed[] }>("GET", "/inbox/feeds"),
  read: (seq: number) => request<void>("POST", `/inbox/${seq}/read`),
  readUpTo: (seq: number) => request<void>("POST", "/inbox/read", { up_to: seq }),
  remove: (seq: number) => request<void>("DELETE", `/inbox/${seq}`),
};
