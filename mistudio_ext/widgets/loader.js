// What each widget carries: loads the panels' bundle from the page's server, else from the kernel.
// Python takes out comments and spaces beside punctuation (so none there in strings) and puts in
// the hash. Names are short because every widget's saved state has this text.

let bundle;
// Address and token for a page that knows no server: given to the panels, never saved.
let own = {};

const base = m => {
  try {
    return m.get("base_url") ||
      JSON.parse(document.getElementById("jupyter-config-data").textContent).baseUrl;
  } catch {}
};

const ask = m => new Promise((ok, no) => {
  const got = (c, b) => {
    if (c.type != "bundle") return;
    m.off("msg:custom", got);
    if (c.error) return no(Error(c.error));
    if (!base(m)) own = c;
    ok(import(URL.createObjectURL(new Blob(b, {type: "text/javascript"}))));
  };
  m.on("msg:custom", got);
  m.send({type: "need-bundle"});
});

const load = async m => {
  const b = base(m);
  if (b) try {
    const path = b.replace(/\/?$/, "/static/mistudio_ext/panels.js?v=HASH");
    return await import(new URL(path, location).href);
  } catch {}
  return ask(m);
};

const show = async c => {
  const {default: p} = await (bundle ||= load(c.model));
  const get = (m, k) => k == "get" ? n => m.get(n) ?? own[n] : m[k];
  return p.render({...c, model: new Proxy(c.model, {get})});
};

// No initialize: anywidget keeps the kernel's messages back until that is done.
export default {
  render: c => show(c).catch(e => {
    bundle = 0;
    c.el.textContent = "miStudio cannot show its panels. " + e.message;
  })
};
