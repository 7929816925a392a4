// The live stream: a WebSocket that resumes exactly where the page stands.
import { ref, type Ref } from "vue";
import { api, type Page } from "./api";

export type Link = "connecting" | "live" | "waiting";

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 15_000;
const TAKEN_EVERY_MS = 500;
const CHECK_EVERY_MS = 120_000;
const SIGN_IN = 4401;

export interface Follower {
  /** The rev up to which everything was taken. */
  position(): number;
  take(page: Page): void;
  /** Connected, for the first time or again. */
  live(): void;
  signedOut(): void;
}

/** Follows the inbox from `position()` and hands every frame on, in order of rev. */
export class InboxStream {
  readonly link: Ref<Link> = ref("connecting");
  private socket: WebSocket | null = null;
  private pause = FIRST_PAUSE_MS;
  private retry: number | undefined;
  private taken: number | undefined;
  private readonly check: number;
  private stopped = false;

  constructor(private readonly follower: Follower) {
    window.addEventListener("online", this.onOnline);
    window.addEventListener("offline", this.onOffline);
    document.addEventListener("visibilitychange", this.onVisible);
    this.check = window.setInterval(() => void this.compare(), CHECK_EVERY_MS);
  }

  open(): void {
    if (this.stopped) return;
    window.clearTimeout(this.retry);
    if (this.link.value !== "waiting") this.link.value = "connecting";
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/inbox/ws?after=${this.follower.position()}`);
    this.socket = socket;
    socket.onopen = () => {
      this.link.value = "live";
      this.pause = FIRST_PAUSE_MS;
      this.follower.live();
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      if (this.socket !== socket) return;
      this.follower.take(JSON.parse(event.data) as Page);
      this.confirmSoon();
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (event.code === SIGN_IN) this.follower.signedOut();
      else this.retryLater();
    };
  }

  /** Try again at once. */
  readonly reopen = (): void => {
    this.drop();
    this.open();
  };

  close(): void {
    this.stopped = true;
    window.clearTimeout(this.retry);
    window.clearTimeout(this.taken);
    window.clearInterval(this.check);
    window.removeEventListener("online", this.onOnline);
    window.removeEventListener("offline", this.onOffline);
    document.removeEventListener("visibilitychange", this.onVisible);
    this.drop();
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private retryLater(): void {
    if (this.stopped) return;
    this.link.value = "waiting";
    // Spread over half the pause, so that a thousand pages do not come back in the same instant.
    const wait = this.pause * (0.75 + Math.random() / 2);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    this.retry = window.setTimeout(() => this.open(), wait);
  }

  /** Senders hear that a message has arrived once a reader says so. */
  private confirmSoon(): void {
    if (this.taken !== undefined) return;
    this.taken = window.setTimeout(() => {
      this.taken = undefined;
      if (this.socket?.readyState === WebSocket.OPEN) {
        this.socket.send(JSON.stringify({ taken: this.follower.position() }));
      }
    }, TAKEN_EVERY_MS);
  }

  /** A connection can die without a word (a laptop that slept): ask what it should have told. */
  private async compare(): Promise<void> {
    if (this.link.value !== "live" || document.visibilityState !== "visible") return;
    const before = this.follower.position();
    const page = await api.changes(before).catch(() => null);
    if (page === null || (page.items.length > 0 && this.follower.position() === before)) this.reopen();
  }

  private readonly onOnline = (): void => {
    if (!this.stopped) this.reopen();
  };

  private readonly onOffline = (): void => {
    this.drop();
    this.retryLater();
  };

  private readonly onVisible = (): void => {
    if (document.visibilityState !== "visible" || this.stopped) return;
    if (this.socket === null) this.open();
    else void this.compare();
  };
}
