(function () {
  "use strict";
  var holder = document.getElementById("data");
  var data = JSON.parse(holder.textContent);
  var POINTS = data.points;

  /* ---- formulas: a part of model text, read by a parser of our own; nothing that is typed is ever run */
  function Problem(message, at, end) { this.message = message; this.at = at; this.end = end; }
  function has(table, name) { return Object.prototype.hasOwnProperty.call(table, name); }
  function fail(message, at, end) { throw new Problem(message, at, end === undefined ? at + 1 : end); }

  var SIGNS = { "·": "*", "⋅": "*", "∗": "*", "×": "*", "⊙": "*", "∘": "*", "÷": "/", "−": "-", "–": "-", "′": "'", "’": "'", "^": "**", "≥": ">=", "≤": "<=", "≠": "!=" };
  var RAISED = { "²": "2", "³": "3", "½": "0.5" };
  var LETTERS = { "σ": "sigmoid", "Σ": "sum", "∑": "sum" };
  /* Of LaTeX: signs, what only sets brackets, and letters and functions by their names. */
  var COMMANDS = { cdot: "*", times: "*", odot: "*", circ: "*", ast: "*", top: ".T", intercal: ".T", geq: ">=", ge: ">=", leq: "<=", le: "<=", neq: "!=", ne: "!=",
    left: "", right: "", ",": "", ";": "", "!": "", " ": "", big: "", Big: "", bigl: "", bigr: "", mathrm: "", operatorname: "", mathbf: "", text: "", frac: "frac", tfrac: "frac", dfrac: "frac", sqrt: "name" };
  var TOKEN = /\s+|(?<name>[\p{Ll}\p{Lu}_][\p{Ll}\p{Lu}\p{M}_0-9]*(?:_\{\w+\})?(?:\[[0-9]+\])?)|(?<number>[0-9]+(?:\.(?![A-Za-z])[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+)|(?<text>"[^"]*"|'[A-Za-z, ]*->[A-Za-z ]*')|(?<command>\\(?:[A-Za-z]+|[,;! ]))|(?<method>\.[a-z_]+(?=\())|(?<sign>\*\*|>=|<=|==|!=|\.T\b|[-+*/@()<>,='[\]:{}])|(?<other>.)/gsu;

  /* A name as the model has it: θ is theta there, and dμ is dmu. */
  function written(word, called) {
    var shown = word.normalize("NFC"), rest = shown.slice(1);
    if (called && has(LETTERS, shown)) { return LETTERS[shown]; }
    if (has(data.printed, shown)) { return data.printed[shown]; }
    if (/_/.test(word) && !has(data.names, word)) { /* W_{1} of LaTeX */
      var without = [word.replace(/[{}]/g, ""), word.replace(/[{}_]/g, "")].filter(function (x) { return has(data.names, x); });
      return without.length ? without[0] : word.replace(/[{}]/g, "");
    }
    if (shown[0] === "d" && has(data.printed, rest)) { return "d" + data.printed[rest]; }
    return has(LETTERS, shown) ? LETTERS[shown] : word;
  }
  function known(word) { return has(data.names, word) || has(data.printed, word.normalize("NFC")); }

  /* The same length as typed, so that a mark stands under its cause. */
  function tokens(text) {
    var found = [], plain = text.replace(/[₀-₉]/g, function (c) { return String(c.charCodeAt(0) - 0x2080); });
    plain = plain.replace(/(?:[d∂]|\\partial )([\p{Ll}\p{Lu}][\p{M}\w]*)\s*\/\s*[d∂]([\p{Ll}\p{Lu}][\p{Ll}\p{Lu}\p{M}\w]*(?:\[[0-9]+\])?)/gu, function (all, of, by) {
      return of === data.loss ? "d" + by + " ".repeat(all.length - by.length - 1) : all;
    });
    plain = plain.replace(/(?<![\p{Ll}\p{Lu}\w])([δΔ]_?|delta_)([\p{Ll}\p{Lu}][\p{Ll}\p{Lu}\p{M}\w]*)/gu, function (all, sign, of) {
      return known(all) ? all : " ".repeat(sign.length - 1) + "d" + of;
    });
    plain = plain.replace(/(?<![\p{L}\w.])(?:np|numpy|jnp|torch)\.(?=[a-z])/gu, function (all) { return " ".repeat(all.length); });
    plain = plain.replace(/\\(?:delta|nabla)_(?:\{(\w+)\}|(\w))(?: *L\b)?/g, function (all, of, letter) {
      return ("d" + (of || letter)).padEnd(all.length);
    });
    plain = plain.replace(/\\frac *\{\\partial *(\w+)\} *\{\\partial *(\w+(?:_\{\w+\})?)\}/g, function (all, of, by) {
      var bare = by.replace(/[{}]/g, ""), row = known(bare) ? bare : bare.replace("_", "");
      return (of === data.loss ? "d" + row : "d" + of + "/d" + row).padEnd(all.length);
    });
    var match;
    TOKEN.lastIndex = 0;
    while ((match = TOKEN.exec(plain))) {
      var g = match.groups, at = match.index, word = match[0], end = at + word.length;
      if (g.name) {
        found.push({ kind: "name", text: written(word, /^\s*\(/.test(plain.slice(end, end + 9))), at: at, end: end });
      } else if (g.command) {
        command(found, word.slice(1), at, end);
      } else if (g.method) {
        found.push({ kind: "method", text: word.slice(1), at: at, end: end });
      } else if (g.number || g.text || g.sign) {
        found.push({ kind: g.number ? "number" : g.text ? "text" : g.sign, text: word, at: at, end: end });
      } else if (SIGNS[word]) {
        found.push({ kind: SIGNS[word], text: SIGNS[word], at: at, end: end });
      } else if (word === "ᵀ" || word === "⊤") {
        found.push({ kind: ".T", text: ".T", at: at, end: end });
      } else if (RAISED[word]) {
        if (word !== "½") { found.push({ kind: "**", text: "**", at: at, end: end }); }
        found.push({ kind: "number", text: RAISED[word], at: at, end: end });
      } else if (LETTERS[word]) {
        found.push({ kind: "name", text: LETTERS[word], at: at, end: end });
      } else if (g.other) {
        fail("this sign is not read here", at);
      }
    }
    found.push({ kind: "end", text: "", at: text.length, end: text.length + 1 });
    return found;
  }

  function command(found, word, at, end) {
    var means = has(COMMANDS, word) ? COMMANDS[word] : "name";
    if (means === "frac") { found.push({ kind: "frac", text: word, at: at, end: end }); }
    else if (means === "name") {
      if (!has(FUNCTIONS, word) && !known(word) && word !== "sigma") { fail("this LaTeX is not read here", at, end); }
      found.push({ kind: "name", text: word === "sigma" && !known(word) ? "sigmoid" : word, at: at, end: end });
    } else if (means) { found.push({ kind: means, text: means, at: at, end: end }); }
  }

  function parse(text) {
    var list = tokens(text), k = 0, depth = 0, isLatex = text.indexOf("\\") >= 0;
    function now() { return list[k]; }
    function at(kinds) { return kinds.indexOf(now().kind) >= 0; }
    function expect(kind, words) { if (!at([kind])) { fail("expected " + (words || kind), now().at, now().end); } return list[k++]; }
    function chain(part, kinds) {
      var left = part();
      while (at(kinds)) {
        var sign = list[k++], right = part();
        left = { kind: sign.kind, parts: [left, right], at: left.at, end: right.end };
      }
      return left;
    }
    function deeper(part) {
      if (++depth > 60) { fail("the formula is nested too deeply", now().at); }
      var made = part();
      depth--;
      return made;
    }
    /* What stands in brackets, braces too. */
    function enclosed(open, close) { expect(open); var made = compare(); made = Object.assign({}, made, { end: expect(close, "a closing bracket").end }); return made; }
    function compare() { return deeper(function () { return chain(sum, [">", "<", ">=", "<=", "==", "!="]); }); }
    function sum() { return chain(product, ["+", "-"]); }
    function product() { return chain(signed, ["*", "/", "@"]); }
    function signed() {
      if (!at(["-", "+"])) { return power(); }
      var sign = list[k++], body = deeper(signed);
      return sign.kind === "+" ? body : { kind: "neg", parts: [body], at: sign.at, end: body.end };
    }
    function power() {
      var base = postfix();
      if (!at(["**"])) { return base; }
      k++;
      if (now().kind === "name" && now().text === "T" && !has(data.sizes, "T") && !has(data.names, "T")) {
        return { kind: "T", parts: [base], at: base.at, end: list[k++].end };
      }
      var braced = at(["{"]);
      if (at([".T"]) || (braced && (list[k + 1].kind === ".T" || list[k + 1].text === "T") && list[k + 2].kind === "}")) {
        k += braced ? 3 : 1;
        return { kind: "T", parts: [base], at: base.at, end: list[k - 1].end };
      }
      var exponent = deeper(at(["-", "+"]) ? signed : power);
      return { kind: "**", parts: [base, exponent], at: base.at, end: exponent.end };
    }
    function postfix() {
      var made = atom();
      while (at([".T", "'"])) { made = { kind: "T", parts: [made], at: made.at, end: list[k++].end }; }
      while (at(["[", "method", ".T", "'"])) {
        if (at([".T", "'"])) { made = { kind: "T", parts: [made], at: made.at, end: list[k++].end }; }
        else if (at(["["])) { made = index(made); } else { var method = list[k++]; made = call(method, [made]); }
      }
      var isFactor = (made.kind === "number" || made.isFraction) && at(["name", "(", "frac"]); /* 2do */
      isFactor = isFactor || (isLatex && at(["(", "frac"]));
      if (isFactor) { var rest = deeper(power); return { kind: "*", parts: [made, rest], at: made.at, end: rest.end }; }
      if (at(["name", "number", "(", "frac"])) { fail("a product is written with * or @", now().at, now().end); }
      return made;
    }
    /* The part of an array: [1:], [:, 2], [words]. */
    function index(base) {
      var items = [];
      k++;
      do {
        var start = at([":", ",", "]"]) ? null : compare();
        if (!at([":"])) { items.push({ at: start }); continue; }
        k++;
        items.push({ start: start, stop: at([",", "]"]) ? null : compare() });
      } while (at([","]) && ++k);
      return { kind: "index", parts: [base], items: items, at: base.at, end: expect("]", "a closing bracket").end };
    }
    function atom() {
      var token = now();
      if (at(["number"])) { k++; return { kind: "number", value: Number(token.text), at: token.at, end: token.end }; }
      if (at(["text"])) { k++; return { kind: "text", value: token.text.slice(1, -1), at: token.at, end: token.end }; }
      if (at(["name"])) {
        k++;
        return at(["("]) && !has(data.names, token.text) ? call(token) : { kind: "name", name: token.text, at: token.at, end: token.end };
      }
      if (at(["frac"])) {
        var over = list[k++], top = enclosed("{", "}"), below = enclosed("{", "}");
        return { kind: "/", parts: [top, below], isFraction: true, at: over.at, end: below.end };
      }
      if (at(["(", "[", "{"])) {
        var close = { "(": ")", "[": "]", "{": "}" }[list[k++].kind];
        var items = [compare()], several = false;
        while (at([","])) { k++; several = true; if (!at([close])) { items.push(compare()); } }
        var last = expect(close, "a closing bracket");
        return several ? { kind: "tuple", parts: items, at: token.at, end: last.end } : Object.assign({}, items[0], { at: token.at, end: last.end });
      }
      return fail(token.kind === "end" ? "the formula ends too early" : "expected a name, a number or a bracket", token.at, token.end);
    }
    function call(token, own) {
      if (!has(FUNCTIONS, token.text)) {
        fail("there is no function " + token.text + " here; there are " + Object.keys(FUNCTIONS).join(", "), token.at, token.end);
      }
      var made = { kind: "call", name: token.text, parts: own || [], options: {}, at: own ? own[0].at : token.at };
      k++;
      while (!at([")"])) {
        if (at(["name"]) && list[k + 1].kind === "=") {
          var option = list[k];
          if (!/^(axis|keepdims|stride|padding)$/.test(option.text)) { fail("only axis, keepdims, stride and padding have names", option.at, option.end); }
          k += 2;
          made.options[option.text] = compare();
        } else { made.parts.push(compare()); }
        if (at([","])) { k++; } else { break; }
      }
      made.end = expect(")", "a comma or a closing bracket").end;
      return made;
    }
    var whole = compare();
    if (!at(["end"])) { fail("the formula should end here", now().at, now().end); }
    return whole;
  }

  /* ---- arrays: {shape, data, dims}; dims say what the sizes are called, for messages */
  function array(shape, values, dims) { return { shape: shape, data: values, dims: dims }; }
  function scalar(x) { return array([], [x], []); }
  var MOST = 1e6; /* entries: more would take all memory */
  function size(shape) {
    var entries = shape.reduce(function (a, b) { return a * b; }, 1);
    if (!shape.every(function (n) { return n >= 0 && n % 1 === 0; })) { throw new Error("a size is a whole number"); }
    if (entries > MOST) { throw new Error("that array is too large to be made here"); }
    return entries;
  }
  function told(a) { return a.dims.length ? a.dims.join(" x ") : "a number"; }
  function strides(shape) {
    var found = [], step = 1;
    for (var i = shape.length - 1; i >= 0; i--) { found[i] = step; step *= shape[i]; }
    return found;
  }
  function eachIndex(shape, act) {
    var index = shape.map(function () { return 0; }), total = size(shape);
    for (var n = 0; n < total; n++) {
      act(index, n);
      for (var i = shape.length - 1; i >= 0 && ++index[i] === shape[i]; i--) { index[i] = 0; }
    }
  }
  function built(shape, dims, value) {
    var out = new Array(size(shape));
    eachIndex(shape, function (index, n) { out[n] = value(index, n); });
    return array(shape, out, dims);
  }
  function broadcast(arrays, what) {
    var rank = Math.max.apply(null, arrays.map(function (a) { return a.shape.length; })), shape = [], dims = [];
    for (var i = 0; i < rank; i++) {
      var size = 1, dim = "1";
      for (var a of arrays) {
        var j = i - rank + a.shape.length;
        if (j < 0 || a.shape[j] === 1) { continue; }
        if (size !== 1 && a.shape[j] !== size) { throw new Error(what + ": the shapes " + arrays.map(told).join(" and ") + " do not fit entry by entry"); }
        size = a.shape[j]; dim = a.dims[j];
      }
      shape.push(size); dims.push(dim);
    }
    return [shape, dims];
  }
  function entries(what, arrays, act) {
    var made = broadcast(arrays, what), steps = arrays.map(function (a) {
      var own = strides(a.shape);
      return made[0].map(function (_, i) { var j = i - made[0].length + a.shape.length; return j < 0 || a.shape[j] === 1 ? 0 : own[j]; });
    });
    return built(made[0], made[1], function (index) {
      return act.apply(null, arrays.map(function (a, k) {
        var place = 0;
        for (var i = 0; i < index.length; i++) { place += index[i] * steps[k][i]; }
        return a.data[place];
      }));
    });
  }
  function transposed(a, axes) {
    axes = axes || a.shape.map(function (_, i) { return i; }).reverse();
    if (axes.length !== a.shape.length) { throw new Error("transpose of " + told(a) + " takes all " + a.shape.length + " axes"); }
    var own = strides(a.shape);
    return built(axes.map(function (i) { return a.shape[i]; }), axes.map(function (i) { return a.dims[i]; }), function (index) {
      return a.data[index.reduce(function (sum, at, i) { return sum + at * own[axes[i]]; }, 0)];
    });
  }
  function einsum(spec, arrays) {
    var sides = spec.replace(/\s/g, "").split("->"), inputs = sides[0].split(","), sizes = {}, dims = {};
    if (sides.length !== 2 || inputs.length !== arrays.length) { throw new Error("einsum is written einsum(\"ij,jk->ik\", a, b)"); }
    arrays.forEach(function (a, k) {
      if (inputs[k].length !== a.shape.length) { throw new Error("einsum: " + inputs[k] + " does not have the axes of " + told(a)); }
      inputs[k].split("").forEach(function (c, i) {
        if (c in sizes && sizes[c] !== a.shape[i]) { throw new Error("einsum: " + c + " stands for the sizes " + dims[c] + " and " + a.dims[i]); }
        sizes[c] = a.shape[i]; dims[c] = a.dims[i];
      });
    });
    var out = sides[1].split(""), letters = out.concat(Object.keys(sizes).filter(function (c) { return out.indexOf(c) < 0; }));
    if (out.some(function (c) { return !(c in sizes); })) { throw new Error("einsum: a letter of the result is in no argument"); }
    size(letters.map(function (c) { return sizes[c]; }));
    var steps = arrays.map(function (a, k) {
      var own = strides(a.shape);
      return letters.map(function (c) { return inputs[k].split("").reduce(function (sum, d, i) { return d === c ? sum + own[i] : sum; }, 0); });
    });
    var shape = out.map(function (c) { return sizes[c]; }), inner = letters.slice(out.length).map(function (c) { return sizes[c]; });
    return built(shape, out.map(function (c) { return dims[c]; }), function (index) {
      var sum = 0;
      eachIndex(inner, function (rest) {
        sum += arrays.reduce(function (value, a, k) {
          var place = 0;
          letters.forEach(function (_, i) { place += (i < index.length ? index[i] : rest[i - index.length]) * steps[k][i]; });
          return value * a.data[place];
        }, 1);
      });
      return sum;
    });
  }
  function matmul(a, b) {
    if (!a.shape.length || !b.shape.length) { throw new Error("@: one side is a number; a product with a number is written *"); }
    var rows = a.shape.length > 1 ? "y" : "", columns = b.shape.length > 1 ? "z" : "", batch = "abcdefgh";
    var i = a.shape[a.shape.length - 1], j = b.shape[b.shape.length > 1 ? b.shape.length - 2 : 0];
    if (i !== j) {
      throw new Error("@: the inner sizes " + a.dims[a.dims.length - 1] + " and " + b.dims[b.dims.length > 1 ? b.dims.length - 2 : 0] +
        " differ: " + told(a) + " by " + told(b));
    }
    var left = batch.slice(0, Math.max(0, a.shape.length - 2)), right = batch.slice(0, Math.max(0, b.shape.length - 2));
    if (left && right && left !== right) { throw new Error("@: " + told(a) + " by " + told(b) + " do not fit"); }
    return einsum(left + rows + "x," + right + "x" + columns + "->" + (left || right) + rows + columns, [a, b]);
  }
  function whole(a) { if (a.shape.length) { throw new Error("an axis is a number"); } return a.data[0]; }
  function axesOf(a, option) {
    var given = option === undefined ? a.shape.map(function (_, i) { return i; }) : option.items ? option.items.map(whole) : [whole(option)];
    return given.map(function (axis) {
      var i = axis < 0 ? axis + a.shape.length : axis;
      if (!(i in a.shape)) { throw new Error(told(a) + " has no axis " + axis); }
      return i;
    });
  }
  function reduced(a, options, begin, act) {
    var axes = axesOf(a, options.axis), keep = options.keepdims && whole(options.keepdims), own = strides(a.shape);
    var left = a.shape.map(function (_, i) { return i; }).filter(function (i) { return axes.indexOf(i) < 0; });
    var shape = left.map(function (i) { return a.shape[i]; }), inner = axes.map(function (i) { return a.shape[i]; });
    var made = built(shape, left.map(function (i) { return a.dims[i]; }), function (index) {
      var value = begin, start = index.reduce(function (sum, at, k) { return sum + at * own[left[k]]; }, 0);
      eachIndex(inner, function (rest) {
        value = act(value, a.data[start + rest.reduce(function (sum, at, k) { return sum + at * own[axes[k]]; }, 0)]);
      });
      return value;
    });
    if (!keep) { return made; }
    return array(a.shape.map(function (n, i) { return axes.indexOf(i) < 0 ? n : 1; }), made.data,
      a.dims.map(function (d, i) { return axes.indexOf(i) < 0 ? d : "1"; }));
  }
  function plus(x, y) { return x + y; }
  function sums(a, options) { return reduced(a, options, 0, plus); }
  function means(a, options) {
    var count = axesOf(a, options.axis).reduce(function (n, i) { return n * a.shape[i]; }, 1);
    return entries("mean", [sums(a, options), scalar(count)], function (x, n) { return x / n; });
  }
  function extreme(pick, name) {
    return function (args, options) {
      if (args.length === 2) { return entries(name, args, pick); }
      return reduced(args[0], options, pick === Math.max ? -Infinity : Infinity, function (x, y) { return pick(x, y); });
    };
  }
  function shapeOf(value) {
    var items = value.items || [value];
    return [items.map(whole), items.map(function (x) { return x.called || String(x.data[0]); })];
  }
  function softmax(a, options) {
    var along = { axis: options.axis || scalar(-1), keepdims: scalar(1) };
    var top = entries("softmax", [a, reduced(a, along, -Infinity, function (x, y) { return Math.max(x, y); })], function (x, m) { return Math.exp(x - m); });
    return entries("softmax", [top, sums(top, along)], function (x, s) { return x / s; });
  }
  function normalCdf(x) { /* Φ: by its series near 0, by Laplace's continued fraction further out */
    var density = Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI), size = Math.abs(x), sum = size, term = size, tail = size;
    if (size < 4) {
      for (var k = 3; k < 120; k += 2) { term *= x * x / k; sum += term; }
      return 0.5 + Math.sign(x) * density * sum;
    }
    for (var n = 60; n > 0; n--) { tail = size + n / tail; }
    return x > 0 ? 1 - density / tail : density / tail;
  }
  function along(a, axis) { return axesOf(a, axis)[0]; }
  function made(shape, dims) { return array(shape, new Array(size(shape)).fill(0), dims); }
  function at(a, index) { return strides(a.shape).reduce(function (sum, step, i) { return sum + step * index[i]; }, 0); }
  function swapped(list, i, x) { var copy = list.slice(); copy[i] = x; return copy; }
  /* Entries of `a` added into zeros of a shape, where `place` says. */
  function added(a, shape, dims, place) {
    var out = made(shape, dims);
    eachIndex(a.shape, function (index, n) { out.data[at(out, place(index.slice(), n))] += a.data[n]; });
    return out;
  }
  function pair(value, otherwise) {
    if (value === undefined) { return [otherwise, otherwise]; }
    return value.items ? value.items.map(whole) : [whole(value), whole(value)];
  }
  /* The products that a convolution adds up: image [N, H, W, C], kernel [h, w, C, K], result [N, R, S, K]. */
  function convolved(x, w, y, options, act) {
    var stride = pair(options.stride, 1), padding = pair(options.padding, 0);
    eachIndex([y[0], y[1], y[2], w[0], w[1]], function (i) {
      var row = i[1] * stride[0] + i[3] - padding[0], column = i[2] * stride[1] + i[4] - padding[1];
      if (row < 0 || column < 0 || row >= x[1] || column >= x[2]) { return; }
      for (var c = 0; c < w[2]; c++) { for (var k = 0; k < w[3]; k++) { act([i[0], row, column, c], [i[3], i[4], c, k], [i[0], i[1], i[2], k]); } }
    });
  }
  function images(args, name) {
    if (args.length < 2 || args[0].shape.length !== 4 || args[1].shape.length !== 4) { throw new Error(name + " takes arrays of four axes"); }
  }
  function each(act) { return function (args) { return entries("", args.slice(0, 1), act); }; }
  function sigmoid(x) { return x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)); }
  var FUNCTIONS = {
    abs: each(Math.abs), cos: each(Math.cos), cosh: each(Math.cosh), exp: each(Math.exp), log: each(Math.log), sin: each(Math.sin), sinh: each(Math.sinh), sqrt: each(Math.sqrt),
    tan: each(Math.tan), tanh: each(Math.tanh), sigmoid: each(sigmoid), relu: each(function (x) { return Math.max(x, 0); }),
    softplus: each(function (x) { return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))); }),
    maximum: function (args) { return entries("maximum", args, Math.max); }, minimum: function (args) { return entries("minimum", args, Math.min); },
    max: extreme(Math.max, "max"), min: extreme(Math.min, "min"),
    where: function (args) { return entries("where", args, function (c, x, y) { return c ? x : y; }); },
    sum: function (args, options) { return sums(args[0], options); }, mean: function (args, options) { return means(args[0], options); },
    softmax: function (args, options) { return softmax(args[0], options); },
    dot: function (args) { return matmul(args[0], args[1]); },
    outer: function (args) {
      if (args.some(function (a) { return a.shape.length !== 1; })) { throw new Error("outer takes two vectors, not " + args.map(told).join(" and ")); }
      return einsum("i,j->ij", args);
    },
    transpose: function (args) { return transposed(args[0], args[1] && args[1].items.map(whole)); },
    normal_cdf: each(normalCdf), normal_pdf: each(function (x) { return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI); }),
    multiply: function (args) { return entries("multiply", args, function (x, y) { return x * y; }); },
    matmul: function (args) { return matmul(args[0], args[1]); },
    square: each(function (x) { return x * x; }),
    causal_mask: function (args) {
      var n = whole(args[0]), dim = args[0].called || String(n);
      return built([n, n], [dim, dim], function (index) { return index[1] <= index[0] ? 1 : 0; });
    },
    scatter_add: function (args) {
      var g = args[0], index = args[1], rows = whole(args[2]), n = index.shape.length, dim = args[2].called || String(rows);
      return added(g, [rows].concat(g.shape.slice(n)), [dim].concat(g.dims.slice(n)), function (i) { return [index.data[at(index, i.slice(0, n))]].concat(i.slice(n)); });
    },
    put_along_axis: function (args) {
      var g = args[0], axis = along(g, args[2]), rows = whole(args[3]);
      return added(g, swapped(g.shape, axis, rows), swapped(g.dims, axis, args[3].called || String(rows)), function (i, n) { i[axis] = args[1].data[n]; return i; });
    },
    take_along_axis: function (args, options) {
      var a = args[0], index = args[1], axis = along(a, args[2] || options.axis || scalar(-1));
      return built(index.shape, index.dims, function (i, n) { return a.data[at(a, swapped(i, axis, index.data[n]))]; });
    },
    concat: function (args, options) {
      var a = args[0], axis = along(a, options.axis || scalar(0)), start = 0;
      function across(x) { return swapped(x.shape, axis, 0).join(); }
      if (args.some(function (x) { return across(x) !== across(a); })) { throw new Error("concat: the shapes " + args.map(told).join(" and ") + " differ along other axes"); }
      var rows = args.reduce(function (n, x) { return n + x.shape[axis]; }, 0);
      var out = made(swapped(a.shape, axis, rows), swapped(a.dims, axis, args.map(function (x) { return x.dims[axis]; }).join(" + ")));
      args.forEach(function (x) {
        eachIndex(x.shape, function (i, n) { out.data[at(out, swapped(i, axis, i[axis] + start))] = x.data[n]; });
        start += x.shape[axis];
      });
      return out;
    },
    pad: function (args) {
      var a = args[0], axis = along(a, args[1]), first = whole(args[2]), rows = whole(args[3]);
      return added(a, swapped(a.shape, axis, rows), swapped(a.dims, axis, args[3].called || String(rows)), function (i) { i[axis] += first; return i; });
    },
    fold: function (args, options) {
      var a = args[0], axis = along(a, options.axis), step = options.stride ? whole(options.stride) : 1, rows = whole(args[1]);
      var shape = a.shape.slice(), dims = a.dims.slice();
      shape.splice(axis, 2, rows);
      dims.splice(axis, 2, args[1].called || String(rows));
      return added(a, shape, dims, function (i) { i.splice(axis, 2, i[axis] * step + i[axis + 1]); return i; });
    },
    conv2d: function (args, options) {
      images(args, "conv2d");
      var x = args[0], w = args[1], stride = pair(options.stride, 1), padding = pair(options.padding, 0);
      var sides = [0, 1].map(function (k) { return Math.floor((x.shape[k + 1] + 2 * padding[k] - w.shape[k]) / stride[k]) + 1; });
      var names = sides.map(function (n, k) { return n === x.shape[k + 1] ? x.dims[k + 1] : String(n); });
      var out = made([x.shape[0]].concat(sides, [w.shape[3]]), [x.dims[0]].concat(names, [w.dims[3]]));
      convolved(x.shape, w.shape, out.shape, options, function (i, j, k) { out.data[at(out, k)] += x.data[at(x, i)] * w.data[at(w, j)]; });
      return out;
    },
    conv2d_input: function (args, options) {
      images(args, "conv2d_input");
      var y = args[0], w = args[1], side = shapeOf(args[2]);
      var out = made([y.shape[0]].concat(side[0], [w.shape[2]]), [y.dims[0]].concat(side[1], [w.dims[2]]));
      convolved(out.shape, w.shape, y.shape, options, function (i, j, k) { out.data[at(out, i)] += y.data[at(y, k)] * w.data[at(w, j)]; });
      return out;
    },
    conv2d_kernel: function (args, options) {
      images(args, "conv2d_kernel");
      var x = args[0], y = args[1], side = shapeOf(args[2]);
      var out = made(side[0].concat([x.shape[3], y.shape[3]]), side[1].concat([x.dims[3], y.dims[3]]));
      convolved(x.shape, out.shape, y.shape, options, function (i, j, k) { out.data[at(out, j)] += x.data[at(x, i)] * y.data[at(y, k)]; });
      return out;
    },
    reshape: function (args) {
      var shape = shapeOf(args[1]);
      if (size(shape[0]) !== args[0].data.length) { throw new Error("reshape: " + told(args[0]) + " has other entries than " + shape[1].join(" x ")); }
      return array(shape[0], args[0].data, shape[1]);
    },
    broadcast: function (args) {
      var shape = shapeOf(args[1]), zeros = array(shape[0], new Array(size(shape[0])).fill(0), shape[1]);
      return entries("broadcast", [args[0], zeros], plus);
    },
    one_hot: function (args) {
      if (args.length !== 2) { throw new Error("one_hot takes the indices and how many classes there are: one_hot(y, C)"); }
      var classes = whole(args[1]), a = args[0];
      return built(a.shape.concat([classes]), a.dims.concat([args[1].called || String(classes)]), function (index, n) {
        return a.data[Math.floor(n / classes)] === index[index.length - 1] ? 1 : 0;
      });
    },
    einsum: function (args) {
      if (typeof args[0] !== "string") { throw new Error("einsum is written einsum(\"ij,jk->ik\", a, b)"); }
      return einsum(args[0], args.slice(1));
    }
  };
  var SIGNED = {
    "+": plus, "-": function (x, y) { return x - y; }, "*": function (x, y) { return x * y; }, "/": function (x, y) { return x / y; },
    "**": function (x, y) { return Math.pow(x, y); }, ">": function (x, y) { return Number(x > y); }, "<": function (x, y) { return Number(x < y); },
    ">=": function (x, y) { return Number(x >= y); }, "<=": function (x, y) { return Number(x <= y); },
    "==": function (x, y) { return Number(x === y); }, "!=": function (x, y) { return Number(x !== y); }
  };
  var CONSTANTS = { pi: Math.PI, True: 1, False: 0 };

  function named(node, point, step) {
    var entry = has(data.names, node.name) ? data.names[node.name] : null;
    if (entry && entry.after >= step) { fail(node.name + " is found " + (entry.after === step ? "here" : "further down") + " only", node.at, node.end); }
    if (entry) { return array(entry.values[point].shape, entry.values[point].data, entry.dims); }
    if (has(data.sizes, node.name)) { return Object.assign(scalar(data.sizes[node.name][point]), { called: node.name }); }
    if (has(CONSTANTS, node.name)) { return scalar(CONSTANTS[node.name]); }
    var near = Object.keys(data.names).filter(function (name) { return name.toLowerCase() === node.name.toLowerCase() && data.names[name].after < step; });
    return fail("there is no " + node.name + " here" + (near.length ? "; did you mean " + near[0] + "?" : ""), node.at, node.end);
  }
  /* What is to be said where class indices may stand for their vectors. */
  function classes(parts) {
    var found = parts.filter(function (p) { return p.kind === "name" && has(data.names, p.name) && data.names[p.name].classes; })[0];
    return found ? "; " + found.name + " holds class indices, whose vectors are one_hot(" + found.name + ", " + data.names[found.name].classes + ")" : "";
  }
  /* A part of an array; rows that an array of indices names. */
  function part(a, items) {
    if (items.length > a.shape.length) { throw new Error(told(a) + " has only " + a.shape.length + " axes"); }
    var found = a;
    for (var k = items.length - 1; k >= 0; k--) { found = cut(found, k, items[k]); }
    return found;
  }
  function cut(a, axis, item) {
    var n = a.shape[axis];
    function end(x, otherwise) { if (!x) { return otherwise; } var i = whole(x); return Math.max(0, Math.min(n, i < 0 ? i + n : i)); }
    var start = end(item.start, 0), stop = end(item.stop, n), wanted = item.at;
    var shape = wanted ? wanted.shape : [Math.max(0, stop - start)], dims = wanted ? wanted.dims : [start || stop < n ? String(stop - start) : a.dims[axis]];
    return built(a.shape.slice(0, axis).concat(shape, a.shape.slice(axis + 1)), a.dims.slice(0, axis).concat(dims, a.dims.slice(axis + 1)), function (index) {
      var read = index.slice(axis, axis + shape.length), row = wanted ? wanted.data[at(wanted, read)] : start + read[0];
      if (!(row >= -n && row < n)) { throw new Error("there is no entry " + row + " along an axis of size " + a.dims[axis]); }
      return a.data[at(a, index.slice(0, axis).concat([row < 0 ? row + n : row], index.slice(axis + shape.length)))];
    });
  }
  function evaluate(node, point, step) {
    function inner(part) { return evaluate(part, point, step); }
    function number(part) {
      var value = inner(part);
      if (!value.data) { fail("a number or an array belongs here", part.at, part.end); }
      return value;
    }
    try {
      switch (node.kind) {
        case "number": return scalar(node.value);
        case "text": return node.value;
        case "name": return named(node, point, step);
        case "tuple": return { items: node.parts.map(number) };
        case "neg": return entries("-", [number(node.parts[0])], function (x) { return -x; });
        case "T": return transposed(number(node.parts[0]));
        case "index":
          return part(number(node.parts[0]), node.items.map(function (item) {
            return { at: item.at && number(item.at), start: item.start && number(item.start), stop: item.stop && number(item.stop) };
          }));
        case "@": return matmul(number(node.parts[0]), number(node.parts[1]));
        case "call":
          var options = {};
          Object.keys(node.options).forEach(function (name) { options[name] = inner(node.options[name]); });
          if (!node.parts.length) { fail(node.name + " needs an argument", node.at, node.end); }
          if (node.parts.length === 2 && /^(sum|mean|softmax)$/.test(node.name)) { options.axis = inner(node.parts[1]); }
          return FUNCTIONS[node.name](node.parts.map(inner), options);
        default: return entries(node.kind, node.parts.map(number), SIGNED[node.kind]);
      }
    } catch (error) {
      if (error instanceof Problem) { throw error; }
      if (error instanceof RangeError || error instanceof TypeError) { return fail("this is not understood", node.at, node.end); }
      return fail(error.message + classes(node.parts), node.at, node.end);
    }
  }

  /* ---- verdicts */
  function same(a, b, tolerance) {
    var scale = 0, off = 0;
    for (var i = 0; i < b.length; i++) {
      if (!isFinite(a[i])) { return false; }
      scale = Math.max(scale, Math.abs(b[i])); off = Math.max(off, Math.abs(a[i] - b[i]));
    }
    return a.length === b.length && off <= tolerance * Math.max(scale, data.floor);
  }
  function marks(values) {
    return [].concat.apply([], values.map(function (v) {
      return [Math.sin, Math.cos].map(function (f) { return v.data.reduce(function (sum, x, i) { return sum + x * f(i + 1); }, 0); });
    }));
  }
  /* Sums over entries of order one, compared pair by pair. */
  function alike(mine, theirs, by) {
    return mine.every(function (x, i) {
      var y = theirs[i] * (by ? by[i >> 1] : 1);
      return Math.abs(x - y) <= data.same * Math.max(Math.abs(y), data.floor);
    });
  }
  function shapeText(dims) { return dims.length ? dims.join(" x ") : "that of a number"; }
  function misshaped(question, values) {
    var wanted = question.dims, says = "Its shape is " + shapeText(values[0].dims) + "; that of the answer is " + shapeText(wanted) + ".", why = "";
    function fits(act) { return values.every(function (v, p) { try { var w = act(v); return String(w.shape) === String(question.right[p].shape) && same(w.data, question.right[p].data, data.same); } catch (_) { return false; } }); }
    if (fits(function (v) { return transposed(v); })) { why = "it is transposed"; }
    values[0].shape.forEach(function (_, axis) {
      if (fits(function (v) { return sums(v, { axis: scalar(axis) }); })) {
        why = values[0].dims[axis] === "1" ? "axis " + axis + ", whose size is 1, is too many" : "the sum over axis " + axis + " is missing: it was broadcast in forward";
      }
    });
    return { right: false, where: says, why: why || "a transpose, an order of factors or a sum is missing or too many" };
  }
  function judge(question, text) {
    var tree = parse(text), values = [];
    for (var p = 0; p < POINTS; p++) {
      var value = evaluate(tree, p, question.step);
      if (!value.data) { fail("this is no formula", 0, text.length); }
      if (!value.shape.length && question.right[p].shape.length) {
        value = entries("", [value, array(question.right[p].shape, question.right[p].data, question.dims)], function (x) { return x; });
      }
      values.push(value);
    }
    if (values.some(function (v, k) { return String(v.shape) !== String(question.right[k].shape); })) { return misshaped(question, values); }
    if (values.every(function (v, k) { return same(v.data, question.right[k].data, data.same); })) { return { right: true }; }
    if (!values.every(function (v) { return v.data.every(isFinite); })) {
      return { right: false, where: "It has no finite value at some points.", why: "for example a division by 0 or a log of a negative number" };
    }
    return Object.assign({ right: false }, explained(question, marks(values)));
  }
  function explained(question, mine) {
    var right = marks(question.right), found;
    found = data.multiples.find(function (m) { return alike(mine, right, m.by); });
    if (found) { return hint(found.kind, "", found.says); }
    found = question.mistakes.find(function (m) { return alike(mine, m.marks); });
    if (found) { return hint(found.kind, found.factor, found.says); }
    for (var mistake of question.mistakes) {
      var times = data.multiples.find(function (m) { return alike(mine, mistake.marks, m.by); });
      if (times) { return hint(mistake.kind, mistake.factor, "two things: " + mistake.says + "; and besides, " + times.says); }
    }
    if (mine.every(function (x) { return x === 0; })) { return hint("wrong-factor", "", "it is zero; the answer is not"); }
    return hint("unexplained", "", "look at one factor after the other, and at their shapes");
  }
  function hint(kind, factor, why) {
    var words = data.kinds[kind];
    return { kind: kind, where: words.charAt(0).toUpperCase() + words.slice(1) + (factor ? ", in " + factor : "") + ".", why: why };
  }
  if (typeof document.addEventListener !== "function") { document.answers = { judge: judge, data: data, functions: Object.keys(FUNCTIONS), Problem: Problem }; return; }

  /* ---- the page */
  var store = { get: function () { try { return localStorage.getItem(this.key); } catch (_) { return null; } },
    set: function (text) { try { localStorage.setItem(this.key, text); return true; } catch (_) { return false; } },
    key: "symbackprop-exercise-" + holder.getAttribute("data-key") };
  function fresh() { return { student: "", answers: data.questions.map(function () { return { given: "", verdict: "open", tries: 0, hints: 0 }; }) }; }
  function read() {
    try {
      var kept = JSON.parse(store.get());
      return kept && kept.answers.length === data.questions.length ? kept : fresh();
    } catch (_) { return fresh(); }
  }
  var state = read(), kept = true, verdicts = {};
  var cards = Array.prototype.slice.call(document.querySelectorAll(".card"));
  function keep() { kept = store.set(JSON.stringify(state)); }
  function done(answer) { return answer.verdict === "right" || answer.verdict === "shown"; }

  function element(name, text, parent) {
    var made = document.createElement(name);
    made.textContent = text;
    parent.appendChild(made);
    return made;
  }
  function refresh() {
    var open = false;
    cards.forEach(function (card) {
      var number = Number(card.getAttribute("data-question") || 0), answer = number ? state.answers[number - 1] : null;
      card.hidden = open;
      card.classList.toggle("waits", open);
      if (!answer) { return; }
      card.classList.toggle("is-done", answer.verdict === "right");
      card.classList.toggle("is-shown", answer.verdict === "shown");
      card.querySelector(".solution").hidden = !done(answer);
      card.querySelector(".above").hidden = done(answer);
      card.querySelector(".ask button").hidden = done(answer);
      card.querySelector(".names").hidden = done(answer);
      var field = card.querySelector(".answer");
      field.value = answer.given;
      field.readOnly = done(answer);
      hints(card, number);
      open = open || !done(answer);
    });
    var right = state.answers.filter(function (a) { return a.verdict === "right"; }).length;
    document.getElementById("student").value = state.student;
    document.getElementById("progress").textContent = right + " of " + state.answers.length + " right" +
      (kept ? "" : "; this browser keeps nothing, so save your answers before you leave");
  }
  function hints(card, number) {
    var answer = state.answers[number - 1], verdict = verdicts[number];
    var level = { where: verdict && verdict.where && !verdict.told, why: verdict && verdict.why && verdict.told === 1, answer: !done(answer) && answer.tries > 1 };
    Array.prototype.forEach.call(card.querySelectorAll("[data-hint]"), function (b) { b.hidden = !level[b.getAttribute("data-hint")]; });
  }
  function say(card, kind, first) {
    var place = card.querySelector(".verdict");
    place.className = "verdict " + kind;
    place.textContent = "";
    element("p", first, place);
    card.querySelector(".answer").setAttribute("aria-invalid", String(kind === "wrong"));
    return place;
  }
  function check(card, number) {
    var answer = state.answers[number - 1], question = data.questions[number - 1], text = card.querySelector(".answer").value.trim();
    if (!text || done(answer)) { return; }
    answer.given = text;
    delete verdicts[number];
    try {
      var verdict = judge(question, text);
      answer.tries++;
      answer.verdict = verdict.right ? "right" : "wrong";
      verdicts[number] = verdict.right ? undefined : verdict;
      say(card, answer.verdict, verdict.right ? "Right." : "Not yet right.");
    } catch (error) {
      if (!(error instanceof Problem)) { throw error; }
      var place = say(card, "wrong", error.message.charAt(0).toUpperCase() + error.message.slice(1) + ".");
      element("pre", text + "\n" + " ".repeat(error.at) + "^".repeat(Math.max(1, Math.min(error.end, text.length + 1) - error.at)), place);
    }
    keep();
    refresh();
  }
  function tell(card, number, what) {
    var answer = state.answers[number - 1], verdict = verdicts[number], place = card.querySelector(".verdict");
    if (what === "answer") {
      answer.verdict = "shown";
      say(card, "", "The answer: " + data.questions[number - 1].answer);
    } else {
      element("p", what === "where" ? verdict.where : verdict.why.charAt(0).toUpperCase() + verdict.why.slice(1) + ".", place);
      verdict.told = what === "where" ? 1 : 2;
      answer.hints = Math.max(answer.hints, verdict.told);
    }
    keep();
    refresh();
    if (what !== "answer") { card.querySelector(".answer").focus(); }
  }
  function chips(card, number) {
    var question = data.questions[number - 1], place = card.querySelector(".names"), field = card.querySelector(".answer");
    var names = Object.keys(data.names).filter(function (name) { return data.names[name].after < question.step; });
    names.slice(0, 40).forEach(function (name) {
      var button = element("button", name, place);
      button.type = "button";
      button.addEventListener("click", function () {
        field.setRangeText(name, field.selectionStart, field.selectionEnd, "end");
        field.focus();
      });
    });
  }
  cards.forEach(function (card) {
    var number = Number(card.getAttribute("data-question") || 0);
    if (!number) { return; }
    chips(card, number);
    card.querySelector("form").addEventListener("submit", function (event) { event.preventDefault(); check(card, number); });
    Array.prototype.forEach.call(card.querySelectorAll("[data-hint]"), function (button) {
      button.addEventListener("click", function () { tell(card, number, button.getAttribute("data-hint")); });
    });
  });
  document.getElementById("student").addEventListener("change", function (event) { state.student = event.target.value.trim(); keep(); refresh(); });
  document.getElementById("again").addEventListener("click", function () {
    var student = state.student;
    state = fresh(); state.student = student; verdicts = {};
    cards.forEach(function (card) { if (card.querySelector(".verdict")) { say(card, "", ""); } });
    keep(); refresh();
  });
  document.getElementById("save").addEventListener("click", function () {
    var result = { format: data.format, version: data.version, model: data.model, seed: data.seed, difficulty: data.difficulty, dims: data.dims, steps: data.questions.length, student: state.student,
      answers: state.answers.map(function (a, k) { return Object.assign({ name: data.questions[k].name }, a); }) };
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(result, null, 2) + "\n"], { type: "application/json" }));
    link.download = (data.model + "-" + (state.student || "answers")).replace(/[^\w-]+/g, "-").toLowerCase() + ".json";
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  });
  keep();
  refresh();
})();
