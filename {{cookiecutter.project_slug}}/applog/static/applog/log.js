'use strict';
// Live mode: asks once a second for new records and puts them above the others, unless the reader has scrolled down
// to look at something or opened it.
{
    const status = document.getElementById('log-status');
    const rows = document.getElementById('log-rows');
    const older = document.getElementById('log-older');
    const SECOND = 1000, MOST_ROWS = 1000;
    let token = status?.dataset.token;
    let found = 0;

    // Above the records on a narrow screen, where open filters would push them out of sight.
    if (matchMedia('(max-width: 1023px)').matches) {
        document.querySelectorAll('#changelist-filter details').forEach(filter => {
            filter.open = false;
        });
    }

    const say = text => {
        if (status.textContent !== text) {
            status.textContent = text;
        }
    };
    const isReading = () =>
        rows.getBoundingClientRect().top < 0 || rows.contains(document.activeElement) ||
        rows.querySelector('details[open]') !== null || !document.getSelection().isCollapsed;

    async function look() {
        if (document.hidden) {
            return SECOND;
        }
        if (isReading()) {
            say('Paused while you read. Go to the top of the list and close what is open to go on.');
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
        rows.insertAdjacentHTML('afterbegin', news.rows);
        while (rows.rows.length > MOST_ROWS) {
            rows.lastElementChild.remove();
            older?.remove();  // it went on from the last one
        }
        say(`Live: ${found} new record${found === 1 ? '' : 's'}`);
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
            say('Live: the server does not answer, trying again.');
        }
        if (failures < 6) {
            setTimeout(follow, pause, failures);
        } else {
            say('Live mode has ended. Load the page again.');
        }
    }

    if (token) {
        follow();
    }
}
