// page.js - keep the page up to date: fetch it again, and put in what is new
//
// The server writes the whole page, so nothing is made here from parts.  Only what differs is replaced, cell by cell: a
// selection, the focus and what a screen reader is at stay where they are.
"use strict";

(function () {
	const INTERVAL_MS = 5000;
	const TYPING_MS = 200;
	const GIVE_UP_MS = 15000;
	const input = document.getElementById("q");
	const form = document.getElementById("filter");
	const live = document.getElementById("live");
	let timer = 0;
	let isPaused = false;
	let asked = 0;

	function replaceIfNew(old, fresh) {
		if (old && fresh && old.outerHTML !== fresh.outerHTML)
			old.replaceWith(fresh);
	}

	function fillIfNew(id, fresh) {
		const old = document.getElementById(id);
		const other = fresh.getElementById(id);

		if (old && other && old.innerHTML !== other.innerHTML)
			old.replaceChildren(...other.childNodes);
		if (old && other && old.className !== other.className)
			old.className = other.className;
	}

	function nameOf(row) {
		return row.cells[1].firstElementChild.textContent;
	}

	function patchRow(old, fresh) {
		if (old.className !== fresh.className)
			old.className = fresh.className;
		Array.from(fresh.cells).forEach(function (cell, i) {
			if (old.cells[i].innerHTML !== cell.innerHTML)
				old.cells[i].replaceChildren(...cell.childNodes);
		});
	}

	function patchRows(fresh) {
		const body = document.getElementById("rows");
		const other = fresh.getElementById("rows");
		const known = new Map();

		if (!body || !other)
			return;
		Array.from(body.rows).forEach(row => known.set(nameOf(row), row));
		Array.from(other.rows).forEach(function (row, i) {
			const name = nameOf(row);
			let mine = known.get(name);

			if (mine) {
				known.delete(name);
				patchRow(mine, row);
			} else {
				mine = row;
			}
			if (body.rows[i] !== mine)
				body.insertBefore(mine, body.rows[i] || null);
		});
		known.forEach(row => row.remove());
		document.getElementById("table").hidden = body.rows.length === 0;
	}

	function show(fresh) {
		// The first hops have come, or the last have gone: the page has other parts now.
		if (!document.getElementById("rows") !== !fresh.getElementById("rows")) {
			location.reload();
			return;
		}
		document.title = fresh.title;
		replaceIfNew(document.getElementById("icon"), fresh.getElementById("icon"));
		["summary", "asof", "states", "count", "changes"].forEach(id => fillIfNew(id, fresh));
		patchRows(fresh);
	}

	function say(words) {
		const text = document.getElementById("live-text");

		if (text.textContent !== words)
			text.textContent = words;
	}

	function sayState() {
		say(isPaused ? "Paused." : "Live, every few seconds.");
	}

	async function refresh() {
		const number = ++asked;
		const began = performance.now();
		const aborter = new AbortController();
		const limit = setTimeout(() => aborter.abort(), GIVE_UP_MS);

		clearTimeout(timer);
		try {
			const answer = await fetch(location.pathname + location.search,
				{cache: "no-store", signal: aborter.signal});

			if (!answer.ok)
				throw new Error(String(answer.status));
			const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");

			if (number !== asked)
				return;
			show(fresh);
			document.body.classList.remove("is-late");
			sayState();
		} catch (error) {
			if (number !== asked)
				return;
			document.body.classList.add("is-late");
			say("No answer. What is shown may be out of date.");
		} finally {
			clearTimeout(limit);
		}
		// What takes long to make is not asked for so often.
		later(Math.max(INTERVAL_MS, 20 * (performance.now() - began)));
	}

	function later(delay) {
		clearTimeout(timer);
		if (!isPaused && !document.hidden)
			timer = setTimeout(refresh, delay);
	}

	function find() {
		const query = new URLSearchParams(location.search);

		if (input.value)
			query.set("q", input.value);
		else
			query.delete("q");
		query.delete("all");
		history.replaceState(null, "", "/" + (String(query) ? "?" + query : ""));
		refresh();
	}

	function addButton() {
		const text = document.createElement("span");
		const button = document.createElement("button");

		text.id = "live-text";
		text.setAttribute("role", "status");
		button.type = "button";
		button.textContent = "Pause";
		button.addEventListener("click", function () {
			isPaused = !isPaused;
			button.textContent = isPaused ? "Go on" : "Pause";
			sayState();
			if (isPaused)
				clearTimeout(timer);
			else
				refresh();
		});
		live.replaceChildren(text, " ", button);
		sayState();
	}

	addButton();
	if (form) {
		form.querySelector("button").hidden = true;
		form.addEventListener("submit", function (event) {
			event.preventDefault();
			find();
		});
		input.addEventListener("input", function () {
			clearTimeout(timer);
			timer = setTimeout(find, TYPING_MS);
		});
	}
	document.addEventListener("visibilitychange", function () {
		if (document.hidden)
			clearTimeout(timer);
		else if (!isPaused)
			refresh();
	});
	later(INTERVAL_MS);
})();
