'use strict';
// What makes the log's page quicker to use: live mode, keys, a range of the chart chosen by dragging, copying, wrapping.
{
    const SECOND = 1000, MOST_ROWS = 1000;
    const rows = document.getElementById('log-rows');
    const table = document.getElementById('result_list');
    const chart = document.getElementById('log-chart');
    const status = document.getElementById('log-status');
    const older = document.getElementById('log-older');
    const search = document.getElementById('searchbar');

    // A setting of this browser: a box that is ticked, or not, and what follows from it.
    function remember(id, apply) {
        const box = document.getElementById(id);
        if (!box) {
            return () => true;
        }
        const stored = localStorage.getItem(id);
        box.checked = stored === null ? box.checked : stored === '1';
        box.closest('label').hidden = false;
        box.addEventListener('change', () => {
            localStorage.setItem(id, box.checked ? '1' : '0');
            apply(box.checked);
        });
        apply(box.checked);
        return () => box.checked;
    }
    remember('log-wrap', checked => table.classList.toggle('log-wrap', checked));
    const areKeysOn = remember('log-keys', () => {});

    document.addEventListener('keydown', event => {
        if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !areKeysOn() ||
            event.target.closest('input, select, textarea, [contenteditable]')) {
            return;
        }
        if (event.key === '/') {
            search.focus();
            search.select();
        } else if ((event.key === 'j' || event.key === 'k') && rows) {
            const records = [...rows.querySelectorAll('summary')];
            const place = records.indexOf(document.activeElement.closest('.log-row')?.querySelector('summary'));
            records[place < 0 ? 0 : place + (event.key === 'j' ? 1 : -1)]?.focus();
        } else {
            return;
        }
        event.preventDefault();
    });

    // Times in the zone of this browser, if it is another one.
    const zone = document.getElementById('log-zone');
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const address = new URL(location.href);
    if (zone && own && !zone.querySelector('a') && zone.querySelectorAll('bdi')[1].textContent.split(',')[0] !== own) {
        address.searchParams.set('zone', own);
        const link = document.createElement('a');
        link.href = address.search;
        link.textContent = `${zone.dataset.offer} ${own}`;
        zone.append(' ', link);
    }

    // Which bar the pointer is on, and the bars from where it was pressed.
    let pressed = null;
    const barAt = event => document.elementFromPoint(event.clientX, event.clientY)?.closest('.log-histogram svg a');
    const brushed = event => {
        const bars = [...chart.querySelectorAll('svg a')];
        const ends = [bars.indexOf(pressed), bars.indexOf(barAt(event))].sort((a, b) => a - b);
        return ends[0] < 0 ? [] : bars.slice(ends[0], ends[1] + 1);
    };
    chart?.addEventListener('dragstart', event => event.preventDefault());
    chart?.addEventListener('pointerdown', event => {
        pressed = barAt(event);
    });
    chart?.addEventListener('pointermove', event => {
        if (pressed) {
            const chosen = new Set(brushed(event));
            chart.querySelectorAll('svg a').forEach(bar => bar.classList.toggle('log-brushed', chosen.has(bar)));
        }
    });
    document.addEventListener('pointerup', event => {
        const bars = pressed ? brushed(event) : [];
        pressed = null;
        if (bars.length > 1) {
            const range = new URL(bars[0].href.baseVal, location.href);
            const last = new URL(bars.at(-1).href.baseVal, location.href);
            range.searchParams.set('until', last.searchParams.get('until'));
            location.href = range.href;
        }
    });

    // A record as text with its line ends, without what keeps letters from right to left in their place.
    function textOf(row) {
        const text = (...names) => names.map(name => row.querySelector(name)?.textContent).find(found => found) ?? '';
        const time = row.querySelector('time')?.getAttribute('datetime') ?? '';
        const head = [time, text('.log-level'), text('.log-logger'), text('.log-whole', '.log-text')].join(' ').trim();
        const fields = [...row.querySelectorAll('dt')].map(name => `${name.textContent}: ${name.nextElementSibling.textContent}`);
        return [head, text('.log-lines'), ...fields].filter(Boolean).join('\n').replace(/[\u2068\u2069]/g, '');
    }
    rows?.addEventListener('toggle', event => {
        const links = event.target.querySelector('.log-links');
        if (links && navigator.clipboard && !links.querySelector('button')) {
            const button = document.createElement('button');
            button.type = 'button';
            button.textContent = table.dataset.copy;
            button.addEventListener('click', async () => {
                await navigator.clipboard.writeText(textOf(button.closest('tr')));
                button.textContent = table.dataset.copied;
            });
            links.append(button);
        }
    }, true);

    // Live mode asks once a second for new records and puts them above the others, unless the reader has scrolled down to
    // look at something, opened it or marked a part of it.
    let token = status?.dataset.token;
    let found = 0;
    const say = text => {
        if (status.textContent !== text) {
            status.textContent = text;
        }
    };
    const isReading = () =>
        rows.getBoundingClientRect().top < 0 || rows.contains(document.activeElement) ||
        rows.querySelector('details[open]') !== null ||
        (!document.getSelection().isCollapsed && rows.contains(document.getSelection().anchorNode));

    async function look() {
        if (document.hidden) {
            return SECOND;
        }
        if (isReading()) {
            say(status.dataset.paused);
            return SECOND;
        }
        const response = await fetch(`${status.dataset.url}?token=${encodeURIComponent(token)}`, {redirect: 'error'});
        if (response.status === 503) {
            return Number(response.headers.get('Retry-After')) * SECOND || SECOND;
        }
        if (!response.ok) {
            throw new Error(response.statusText);
        }
        const news = await response.json();
        if (isReading()) {
            return SECOND;  // the same records come again
        }
        token = news.token;
        found += news.count;
        if (news.count) {
            const day = rows.querySelector('.log-day');
            rows.insertAdjacentHTML('afterbegin', news.rows);
            const days = [...rows.querySelectorAll('.log-day')];
            if (day && days[days.indexOf(day) - 1]?.dataset.day === day.dataset.day) {
                day.remove();  // the new records have its heading
            }
            document.querySelector('.log-none')?.remove();
        }
        if (news.chart && !chart.querySelector('details[open]') && !pressed) {
            chart.innerHTML = news.chart;
        }
        while (rows.rows.length > MOST_ROWS) {
            rows.lastElementChild.remove();
            older?.remove();  // it went on from the last one
        }
        say(`${status.dataset.live} ${found}`);
        return news.more ? 0 : SECOND;
    }

    async function follow(failures = 0) {
        let pause = SECOND;
        try {
            pause = await look();
            failures = 0;
        } catch {
            failures += 1;
            pause = SECOND * 2 ** failures;
            say(status.dataset.trouble);
        }
        if (failures < 6) {
            setTimeout(follow, pause, failures);
        } else {
            say(status.dataset.ended);
        }
    }

    if (token) {
        follow();
    }
}
