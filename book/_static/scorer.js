// Orders what the search finds: a page that explains the word, then the glossary, chapters, pages, and exercises last.

var Scorer = {
  score: ([page, title, anchor, description, score]) => {
    if (page === "book/glossary") return score - 10;
    if (/^notebooks\/(exercises|solutions)/.test(page)) return score - 40;
    if (page === "book/api") return score - 30;
    return /^notebooks/.test(page) ? score : score - 5;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
