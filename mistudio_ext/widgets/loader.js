// What each widget carries: loads the panels' bundle from the page's server, else from the kernel.
// Python takes out comments and indentation and fills in the hash.

let loading;
// Address and token for a page that knows no server: given to the panels, never saved.
let own = {};

const base = m => {
  try {
    const page = document.getElementById("jupyter-config-data");
    return m.get("base_url") || JSON.parse(page.textContent).baseUrl;
  } catch {}
};

const ask = m => new Promise((done, fail) => {
  const got = (c, buffers) => {
    if (c.type != "bundle") return;
    m.off("msg:custom", got);
    if (c.error) return fail(Error(c.error));
    if (!base(m)) own = c;
    done(import(URL.createObjectURL(new Blob(buffers, {type: "text/javascript"}))));
  };
  m.on("msg:custom", got);
  m.send({type: "need-bundle"});
});

const load = async m => {
  const b = base(m);
  if (b) try {
    const path = b.replace(/\/?$/, "/static/mistudio_ext/panels.js?v=HASH");
    return await import(new URL(path, location.href).href);
  } catch {}
  return ask(m);
};

const use = async (step, c) => {
  const panels = (await (loading ||= load(c.model))).default;
  const get = (m, k) => k == "get" ? n => m.get(n) ?? own[n] : m[k];
  return panels[step]?.({...c, model: new Proxy(c.model, {get})});
};

const forget = () => loading = null;

export default {
  initialize: c => use("initialize", c).catch(forget),
  render: c => use("render", c).catch(e => {
    forget();
    c.el.textContent = "miStudio: " + e.message;
  })
};
