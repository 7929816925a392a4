// One conversation of two people: what of it is loaded, and what the person writes until the server has stored it.
import { computed, reactive, ref } from "vue";
import { api, ApiError, type Draft, type Entry, type Place } from "./api";
import type { Inbox } from "./inbox";

export const MOST_BYTES = 10_000_000;
const FLOOR_UNKNOWN = Number.MAX_SAFE_INTEGER;

/** A message on its way; it ends as the stored entry of its `seq`. */
export interface Pending {
  /** Idempotency-Key: however often it is sent, it is stored once. */
  once: string;
  draft: Draft;
  file: File | null;
  /** An address of the file in this page, of pictures. */
  preview: string;
  state: "sending" | "failed";
  /** The error's code. */
  error: string;
  /** Share of the file that is sent. */
  progress: number;
  /** The newest entry when it was written: its own comes later. */
  after: number;
  seq: number;
  created_at: string;
}

export class Talk {
  readonly loading = ref(false);
  readonly failed = ref(false);
  readonly isBlocked = ref(false);
  readonly words = ref("");
  private readonly floor = ref(FLOOR_UNKNOWN);
  private readonly written = reactive<Pending[]>([]);
  private queue: Promise<void> = Promise.resolve();

  constructor(
    readonly feed: string,
    private readonly inbox: Inbox,
  ) {}

  readonly isNew = computed(() => this.floor.value === FLOOR_UNKNOWN);
  readonly atEnd = computed(() => this.floor.value === 0);
  private readonly stored = computed(() =>
    this.inbox.entries.newestFirst.value.filter((entry) => entry.feed.id === this.feed && entry.seq >= this.floor.value).reverse(),
  );

  /** Oldest first. An own entry that the stream tells before its answer has come waits for that answer: which of the
   * messages on their way it is, only the answer says. */
  readonly shown = computed(() => {
    const ours = new Set(this.written.map((one) => one.seq));
    const from = Math.min(...this.written.filter((one) => one.state === "sending" && one.seq === 0).map((one) => one.after));
    return this.stored.value.filter((entry) => entry.direction === "in" || entry.seq <= from || ours.has(entry.seq));
  });
  readonly pending = computed(() => {
    const seqs = new Set(this.stored.value.map((entry) => entry.seq));
    return this.written.filter((one) => !seqs.has(one.seq) && !this.isTold(one));
  });

  /** Load what is older than what is shown. */
  async more(): Promise<void> {
    if (this.loading.value || this.atEnd.value) return;
    this.loading.value = true;
    this.failed.value = false;
    const epoch = this.inbox.epoch.value;
    try {
      const page = await api.history(this.floor.value === FLOOR_UNKNOWN ? 0 : this.floor.value, this.feed, "");
      if (epoch !== this.inbox.epoch.value) return;
      page.items.forEach((item) => this.inbox.entries.keep(item));
      const seqs = page.items.map((item) => item.seq);
      this.floor.value = page.more === true && seqs.length > 0 ? Math.min(this.floor.value, ...seqs) : 0;
    } catch (error) {
      this.failed.value = true;
      throw error;
    } finally {
      this.loading.value = false;
    }
  }

  /** What was loaded is not there any more. */
  forget(): void {
    this.floor.value = FLOOR_UNKNOWN;
  }

  /** Load back to an entry. */
  async reach(seq: number): Promise<void> {
    while (!this.loading.value && !this.atEnd.value && this.floor.value > seq) await this.more();
  }

  say(text: string): void {
    this.add({ text }, null);
  }

  sendPlace(location: Place): void {
    this.add({ location }, null);
  }

  sendFile(file: File): void {
    this.add({}, file);
  }

  retry(one: Pending): void {
    one.state = "sending";
    one.error = "";
    this.send(one);
  }

  /** There is a connection: what failed for want of one is loaded and sent. */
  resume(): void {
    if (this.failed.value) this.more().catch(() => undefined);
    this.written.filter((one) => one.state === "failed" && one.error === "unreachable").forEach((one) => this.retry(one));
  }

  /** Back into the field with it, to be written otherwise. */
  rewrite(one: Pending): void {
    this.words.value = [one.draft.text, this.words.value].filter(Boolean).join("\n");
    this.discard(one);
  }

  discard(one: Pending): void {
    this.written.splice(this.written.indexOf(one), 1);
    URL.revokeObjectURL(one.preview);
  }

  private add(draft: Draft, file: File | null): void {
    const pending: Pending = {
      once: randomKey(),
      draft,
      file,
      preview: file?.type.startsWith("image/") ? URL.createObjectURL(file) : "",
      state: "sending",
      error: "",
      progress: 0,
      after: this.inbox.entries.newest,
      seq: 0,
      created_at: new Date().toISOString(),
    };
    this.written.push(pending);
    // The reactive one: what changes in it is seen.
    this.send(this.written.at(-1) as Pending);
  }

  /** One after another, so that they are stored in the order in which they were written. */
  private send(one: Pending): void {
    const uploaded = this.upload(one);
    uploaded.catch(() => undefined);
    this.queue = this.queue.then(async () => {
      try {
        await uploaded;
        const answer = await api.write(this.feed, one.draft, one.once);
        one.seq = answer.seq;
        this.isBlocked.value = false;
        await this.inbox.fetch(answer.seq);
        URL.revokeObjectURL(one.preview);
      } catch (error) {
        // Stored is stored: the stream brings it.
        if (one.seq === 0) this.fail(one, error);
      }
    });
  }

  private async upload(one: Pending): Promise<void> {
    if (one.file === null || one.draft.file !== undefined) return;
    if (one.file.size > MOST_BYTES) throw new ApiError(413, "too_large", "");
    const seconds = await duration(one.file);
    const { id } = await api.upload(one.file, (share) => (one.progress = share));
    one.draft = { file: id, ...(seconds > 0 ? { duration_s: seconds } : {}) };
  }

  private fail(one: Pending, error: unknown): void {
    one.state = "failed";
    one.error = error instanceof ApiError ? error.code : "unreadable";
    if (one.error === "blocked") this.isBlocked.value = true;
  }

  /** An answer that was lost: the message is here nevertheless. */
  private isTold(one: Pending): boolean {
    if (one.state !== "failed" || one.error !== "unreachable") return false;
    return this.stored.value.some((entry) => entry.direction === "out" && entry.seq > one.after && isSame(entry, one));
  }
}

/** `crypto.randomUUID` is there only over https and at localhost. */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function isSame(entry: Entry, one: Pending): boolean {
  if (one.draft.text !== undefined) return entry.body === one.draft.text;
  if (one.draft.location !== undefined) return entry.location?.lat === one.draft.location.lat;
  return entry.attachments[0]?.name === one.file?.name;
}

const LONGEST_LOOK_MS = 3000;

/** Whole seconds of a recording or film; 0 = none or unknown. */
function duration(file: File): Promise<number> {
  const kind = /^(audio|video)\//.exec(file.type)?.[1];
  if (kind === undefined) return Promise.resolve(0);
  const player = document.createElement(kind) as HTMLMediaElement;
  const url = URL.createObjectURL(file);
  return new Promise<number>((resolve) => {
    const done = () => resolve(Number.isFinite(player.duration) ? Math.round(player.duration) : 0);
    player.onloadedmetadata = player.onerror = done;
    window.setTimeout(done, LONGEST_LOOK_MS);
    player.preload = "metadata";
    player.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}
