#!/usr/bin/env bash
# sorted-btree 2.1.0, an ordered map on npm.
#
# Guessed: who deletes the entry that a loop over the tree has just handed out gets all the others all the same, as with a Map, whose iterators allow it.
# Seen: `entries()` and `keys()` leave out the entry behind each deleted one, without an error: such a loop empties half of the tree. `forEachPair` leaves half
#   of a small tree as well, and fails with a TypeError in a larger one. `entriesReversed()` hands out all of them, and entries that are added behind the
#   current one do come. The documentation says nothing of it.
#
# What it means: collect the keys first, or go backwards; `editRange` is what the package has for it.
# Needs Node.js and npm.

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --no-audit --no-fund --silent --save-exact sorted-btree@2.1.0

cat >deletes.cjs <<'JS'
const { default: BTree } = require('sorted-btree');
const pairs = (count) => Array.from({ length: count }, (_, key) => [key, key]);

function left(make, loop, count) {
  const map = make(pairs(count));
  try {
    loop(map);
    return `${map.size} of ${count} left`;
  } catch (error) {
    return error.name;
  }
}

const map = (all) => new Map(all);
const tree = (all) => new BTree(all);
const deleting = (iterate) => (all) => {
  for (const one of iterate(all)) all.delete(Array.isArray(one) ? one[0] : one);
};
const each = (all) => all.forEachPair((key) => all.delete(key));
for (const count of [10, 100]) {
  console.log('Map.entries', left(map, deleting((all) => all.entries()), count));
  console.log('entries', left(tree, deleting((all) => all.entries()), count));
  console.log('keys', left(tree, deleting((all) => all.keys()), count));
  console.log('entriesReversed', left(tree, deleting((all) => all.entriesReversed()), count));
  console.log('forEachPair', left(tree, each, count));
  console.log('editRange', left(tree, (all) => all.editRange(0, count, true, () => ({ delete: true })), count));
}
const growing = new BTree(pairs(10));
let seen = 0;
for (const [key] of growing.entries()) {
  seen++;
  if (key < 10) growing.set(key + 100, key);
}
console.log('added behind', seen, 'of', growing.size);
JS
node deletes.cjs | tee seen

diff seen - <<'SEEN'
Map.entries 0 of 10 left
entries 5 of 10 left
keys 5 of 10 left
entriesReversed 0 of 10 left
forEachPair 5 of 10 left
editRange 0 of 10 left
Map.entries 0 of 100 left
entries 50 of 100 left
keys 50 of 100 left
entriesReversed 0 of 100 left
forEachPair TypeError
editRange 0 of 100 left
added behind 20 of 20
SEEN
echo 'as described'
