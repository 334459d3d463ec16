// A view and its kernel: figure.js, table.js and presence.js each stand below this, in one module.
// live/messages.py documents the messages.

// ms after which a view repeats a request, doubled each time, since connections can be slow.
const LONGEST_PATIENCE = 24000;

const NOTHING = { at: -Infinity, number: -Infinity }; // was confirmed yet

// Of JupyterLab's states of a kernel.
const ENDED = ["restarting", "autorestarting", "terminating", "dead"];

// Calls `tell` once the kernel of the model has ended. It listens: while the kernel lives, that costs
// nothing. Returns a function that ends the listening.
function watchKernel(model, tell) {
  const kernel = model.widget_manager?.kernel; // none outside of JupyterLab
  const onStatus = (_kernel, status) => {
    if (ENDED.includes(status)) tell();
  };
  kernel?.statusChanged?.connect(onStatus);
  model.on("comm_live_update", tell); // after a restart; a comm never comes to life again
  return () => {
    kernel?.statusChanged?.disconnect(onStatus);
    model.off("comm_live_update", tell);
  };
}

// The widget that the view is a part of, which has the words on the engine's state.
function wholeWidget(el) {
  let whole = el;
  for (let up = el; up; up = up.parentElement) {
    if (up.classList.contains("jupyter-widgets")) whole = up;
  }
  return whole;
}

// The widget's first line with the state of an engine or a series, if there is one: a widget has one view,
// and a box of the user's may hold several widgets.
function stateLine(complaint) {
  for (let up = complaint; up; up = up.parentElement) {
    if (up.querySelectorAll(".xdplab-complaint").length > 1) return null;
    const state = up.querySelector(".xdplab-state");
    if (state) return state;
  }
  return null;
}

// Opens a view. `thing` is what it shows, for errors, which stand in the element `complaint`;
// `answers` has a function of (message, buffers) for each kind of message; `patience` is that of
// the first request; `eachSecond` is called each second.
function openView({ model, thing, answers, patience: firstPatience, complaint, eachSecond }) {
  const name = Array.from({ length: 4 }, () => Math.random().toString(36).slice(2)).join("");
  let wanted; // the kind of the request to repeat
  let heard = 0;
  let patience = firstPatience;
  let confirmed = NOTHING;
  let isOpen = true;
  let hasKernel = true;

  const say = (message) => {
    if (!hasKernel) return;
    try {
      model.send({ view: name, ...message });
    } catch {
      // The kernel is gone, so the message has no receiver.
    }
  };
  const ask = (kind = wanted) => {
    wanted = kind;
    heard = performance.now();
    confirmed = NOTHING; // so that the reply is confirmed at once: the kernel sends no more before
    say({ kind });
  };
  const stopAsking = () => {
    wanted = undefined;
  };
  // Confirms after the browser has drawn: so a slow browser or a hidden page gets no more rows. Not before
  // so many messages or so many ms have passed since the last time.
  const confirm = (number, messages = 0, interval = 0) => {
    requestAnimationFrame(() => {
      const now = performance.now();
      if (!isOpen || (number - confirmed.number < messages && now - confirmed.at < interval)) return;
      confirmed = { at: now, number };
      say({ kind: "got", number });
    });
  };
  const complain = (reason = model.get("error")) => {
    complaint.textContent = reason ? `This ${thing} stands still: ${reason}` : "";
  };
  const onKernelEnd = () => {
    hasKernel = false;
    const whole = wholeWidget(complaint);
    whole.classList.add("xdplab-ended"); // for style.css
    for (const control of whole.querySelectorAll("button, input, select")) control.disabled = true;
    const state = stateLine(complaint);
    if (state) state.classList.add("xdplab-kernel-ended"); // says so
    else complain("the kernel ended. Run the cells again.");
  };
  const receive = async (message, buffers) => {
    if (!message.views?.includes(name)) return;
    heard = performance.now();
    patience = firstPatience;
    try {
      await answers[message.kind](message, buffers);
    } catch (error) {
      complain(error);
      throw error;
    }
  };
  const onError = () => complain();
  const timer = setInterval(() => {
    eachSecond?.();
    const waits = wanted && !model.get("error") && !document.hidden;
    if (waits && performance.now() - heard > patience) {
      patience = Math.min(2 * patience, LONGEST_PATIENCE);
      ask();
    }
  }, 1000);
  const close = () => {
    isOpen = false;
    clearInterval(timer);
    unwatch();
    model.off("msg:custom", receive);
    model.off("change:error", onError);
    say({ kind: "bye" });
  };

  const unwatch = watchKernel(model, onKernelEnd);
  complaint.classList.add("xdplab-complaint");
  model.on("msg:custom", receive);
  model.on("change:error", onError);
  onError();
  return { say, ask, stopAsking, confirm, complain, close, isOpen: () => isOpen };
}
