// Search without a server: a browser starts no worker from a page on the disk, so its script runs in a hidden frame.
if (location.protocol === "file:") {
  window.IFrameWorker = window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      const frame = document.createElement("iframe"), waiting = [];
      frame.hidden = true;
      frame.srcdoc = `<script>
        self.importScripts = (...urls) => urls.reduce((done, url) => done.then(() => new Promise((loaded, failed) => {
          document.body.append(Object.assign(document.createElement("script"), { src: url, onload: loaded, onerror: failed }));
        })), Promise.resolve());
        self.postMessage = (data) => frameElement.answered(data);
      </script><script src="${new URL(url, location)}"></script>`;
      frame.answered = (data) => { const event = new MessageEvent("message", { data }); this.onmessage?.(event); this.dispatchEvent(event); };
      this.postMessage = (data) => waiting.push(data);
      frame.addEventListener("load", () => {
        this.postMessage = (data) => frame.contentWindow.dispatchEvent(new MessageEvent("message", { data }));
        waiting.forEach((data) => this.postMessage(data));
      });
      this.terminate = () => frame.remove();
      const place = () => document.body.append(frame);
      if (document.body) place(); else addEventListener("DOMContentLoaded", place);
    }
  };
}
