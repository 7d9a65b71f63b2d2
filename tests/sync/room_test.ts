import assert from "node:assert/strict";
import { newGraphId, type UserId } from "../../protocol/ids.ts";
import { type Guest, Room } from "../../sync/room.ts";
import { TestGuest } from "../support/guest.ts";
import { userOf } from "../support/user.ts";

const [alice, bob, carol] = [userOf("alice"), userOf("bob"), userOf("carol")];

/** A room with guests of these users. */
function roomOf(...users: readonly UserId[]): [Room, ...TestGuest[]] {
  const room = new Room(newGraphId());
  const guests = users.map((id) => {
    const guest = new TestGuest();
    room.seat(guest, { id });
    return guest;
  });
  room.tell();
  return [room, ...guests];
}

Deno.test("A guest is told nothing until it has spoken today's dialect, and then all at once", () => {
  const [room, a, b] = roomOf(alice, bob);
  assert.ok(a !== undefined && b !== undefined);
  room.edit(b, "x", 1);
  room.tell();
  assert.deepEqual(a.heard, []);
  room.speaksToday(a);
  room.speaksToday(a);
  assert.deepEqual(a.heard, ["here: alice, bob(x)"]);
  assert.equal(room.isAsking, true);
  assert.deepEqual(b.heard, []);
});

Deno.test("Who comes or goes is told with the whole list, what is edited by itself, and nothing twice", () => {
  const [room, a, b] = roomOf(alice, bob);
  assert.ok(a !== undefined && b !== undefined);
  room.speaksToday(a);
  room.edit(b, "x", 1);
  room.tell();
  room.edit(b, "x", 2);
  room.tell();
  room.edit(b, undefined, 3);
  room.tell();
  room.unseat(b);
  room.tell();
  room.unseat(b);
  room.tell();
  assert.deepEqual(a.heard, [
    "here: alice, bob",
    "bob edits x",
    "bob edits nothing",
    "here: alice",
  ]);
});

Deno.test("A guest isn't told what it edits itself; its user's other sockets are", () => {
  const [room, laptop, phone] = roomOf(alice, alice);
  assert.ok(laptop !== undefined && phone !== undefined);
  for (const guest of [laptop, phone]) room.speaksToday(guest);
  room.edit(laptop, "x", 1);
  room.tell();
  assert.deepEqual(laptop.heard, ["here: alice"]);
  assert.deepEqual(phone.heard, ["here: alice", "alice edits x"]);
});

Deno.test("Of a user with several sockets, here or elsewhere, the one counts that spoke last", () => {
  const [room, laptop, phone] = roomOf(alice, alice);
  assert.ok(laptop !== undefined && phone !== undefined);
  room.edit(phone, "x", 5);
  room.tell();
  room.edit(laptop, "y", 4);
  room.tell();
  assert.deepEqual(room.here(), [{ id: alice, editing: "x", at: 5 }]);
  const listener = new TestGuest();
  room.seat(listener, { id: bob });
  room.tell();
  room.speaksToday(listener);
  room.setOthers([{ id: alice, editing: "z", at: 6 }]);
  room.tell();
  room.setOthers([{ id: alice, editing: "w", at: 3 }]);
  room.tell();
  room.unseat(phone);
  room.tell();
  assert.deepEqual(listener.heard, [
    "here: alice(x), bob",
    "alice edits z",
    "alice edits x",
    "alice edits y",
  ]);
});

Deno.test("What a user is called is told with the list, when he calls himself otherwise", () => {
  for (const what of ["email", "username", "name"] as const) {
    const [room, a] = roomOf(alice);
    assert.ok(a !== undefined);
    room.speaksToday(a);
    room.setOthers([{ id: bob, [what]: "Bob", at: 0 }]);
    room.tell();
    room.setOthers([{ id: bob, [what]: "Bob", at: 1 }]);
    room.tell();
    room.setOthers([{ id: bob, [what]: "Robert", at: 0 }]);
    room.tell();
    assert.deepEqual(a.heard, ["here: alice", "here: alice, bob", "here: alice, bob"]);
  }
});

Deno.test("Of each user all is told that his token says of him, and nothing that it doesn't", () => {
  const person = { email: "b@x", username: "bob", name: "Bob" };
  const room = new Room(newGraphId());
  const told: unknown[] = [];
  const listener: Guest = {
    people: (news) => void told.push(JSON.parse(news)),
    close: () => {},
  };
  const guest = new TestGuest();
  room.seat(guest, { id: bob, ...person });
  room.seat(listener, { id: alice });
  room.tell();
  room.speaksToday(listener);
  assert.deepEqual(room.here(), [{ id: alice, at: 0 }, { id: bob, ...person, at: 0 }]);
  room.edit(guest, "x", 1);
  room.tell();
  room.edit(guest, undefined, 2);
  room.tell();
  assert.deepEqual(told, [
    {
      "type": "online-users",
      "online-users": [{ "user-id": alice }, { "user-id": bob, ...person }],
    },
    { "type": "presence", "user-id": bob, "editing-block-uuid": "x" },
    { "type": "presence", "user-id": bob, "editing-block-uuid": null },
  ]);
});

Deno.test("Only the sockets of the one who is put out are closed", () => {
  const [room, a, b, c] = roomOf(alice, bob, bob);
  assert.ok(a !== undefined && b !== undefined && c !== undefined);
  room.putOut(bob, { code: 4403, reason: "no longer a member" });
  assert.deepEqual([a.heard, b.heard, c.heard], [[], ["close 4403"], ["close 4403"]]);
});

Deno.test("Who is here is listed by the users' ids, in whichever order they came", () => {
  for (const users of [[bob, carol, alice], [carol, alice, bob], [alice, bob, carol]]) {
    const [room] = roomOf(...users);
    assert.deepEqual(room.here().map(({ id }) => id), [alice, bob, carol]);
  }
});

Deno.test("One who comes elsewhere as another goes is told of, though they are as many as before", () => {
  const [room, a] = roomOf(alice);
  assert.ok(a !== undefined);
  room.speaksToday(a);
  room.setOthers([{ id: bob, at: 0 }]);
  room.tell();
  room.setOthers([{ id: carol, at: 0 }]);
  room.tell();
  assert.deepEqual(a.heard, ["here: alice", "here: alice, bob", "here: alice, carol"]);
});

Deno.test("A guest that has left takes no seat by what it says", () => {
  const [room, a, b] = roomOf(alice, bob);
  assert.ok(a !== undefined && b !== undefined);
  room.speaksToday(a);
  room.unseat(b);
  room.tell();
  room.edit(b, "x", 1);
  room.tell();
  room.speaksToday(b);
  assert.deepEqual(room.here(), [{ id: alice, at: 0 }]);
  assert.deepEqual([a.heard, b.heard], [["here: alice, bob", "here: alice"], []]);
});

Deno.test("What has changed several times is told as it is in the end, and not at all if it is as before", () => {
  const [room, a, b] = roomOf(alice, bob);
  assert.ok(a !== undefined && b !== undefined);
  for (const guest of [a, b]) room.speaksToday(guest);
  room.edit(b, "x", 1);
  room.edit(b, "y", 2);
  room.edit(a, "z", 3);
  assert.deepEqual(a.heard, ["here: alice, bob"]);
  room.tell();
  room.edit(b, "w", 4);
  room.edit(b, "y", 5);
  room.unseat(a);
  room.seat(a, { id: alice });
  room.edit(a, "z", 6);
  room.speaksToday(a);
  room.tell();
  assert.deepEqual(a.heard, [
    "here: alice, bob",
    "bob edits y",
    "here: alice(z), bob(y)",
  ]);
  assert.deepEqual(b.heard, ["here: alice, bob", "alice edits z"]);
});

Deno.test("How much there is to tell grows with who is told and who is told of", () => {
  const [room, a] = roomOf(alice, alice, bob);
  assert.ok(a !== undefined);
  assert.equal(room.toTell, 9);
  room.setOthers([{ id: carol, at: 0 }]);
  assert.equal(room.toTell, 12);
  room.unseat(a);
  assert.equal(room.toTell, 6);
});
