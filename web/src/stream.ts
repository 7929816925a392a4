// The live stream: a WebSocket that resumes exactly where the page stands.
import { ref, type Ref } from "vue";
import type { Item } from "./api";

export type Link = "connecting" | "live" | "waiting";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** Follows the inbox from `position()`; hands every frame's items on, in order of rev. */
export class InboxStream {
  readonly link: Ref<Link> = ref("connecting");
  private socket: WebSocket | null = null;
  private pause = FIRST_PAUSE_MS;
  private timer: number | undefined;
  private stopped = false;

  constructor(
    private readonly position: () => number,
    private readonly take: (items: Item[]) => void,
    private readonly refused: () => void,
  ) {
    window.addEventListener("online", this.reconnectNow);
    document.addEventListener("visibilitychange", this.onVisible);
  }

  open(): void {
    if (this.stopped) return;
    this.link.value = "connecting";
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/api/v1/inbox/ws?after=${this.position()}`);
    this.socket = socket;
    socket.onopen = () => {
      this.link.value = "live";
      this.pause = FIRST_PAUSE_MS;
    };
    socket.onmessage = (event: MessageEvent<string>) => {
      const frame = JSON.parse(event.data) as { items?: Item[] };
      if (frame.items) this.take(frame.items);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      if (event.code === 4401) this.refused();
      else this.retryLater();
    };
  }

  close(): void {
    this.stopped = true;
    window.clearTimeout(this.timer);
    window.removeEventListener("online", this.reconnectNow);
    document.removeEventListener("visibilitychange", this.onVisible);
    this.socket?.close();
  }

  private retryLater(): void {
    if (this.stopped) return;
    this.link.value = "waiting";
    // Spread over half the pause, so that a thousand pages do not come back in the same instant.
    const wait = this.pause * (0.75 + Math.random() / 2);
    this.pause = Math.min(this.pause * 2, LONGEST_PAUSE_MS);
    this.timer = window.setTimeout(() => this.open(), wait);
  }

  private readonly reconnectNow = (): void => {
    if (this.socket === null && !this.stopped) {
      window.clearTimeout(this.timer);
      this.open();
    }
  };

  private readonly onVisible = (): void => {
    if (document.visibilityState === "visible") this.reconnectNow();
  };
}
