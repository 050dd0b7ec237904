// What the page says of each stage of the road: its name, its words, what it is given, and the chapter that explains it.

export const JOURNEY_STAGES = [
  { key: "photograph", name: "Photograph", part: "", from: [], title: "A photograph", page: "start/who_is_this", chapter: "Who is this?", words: "Lamp, lens, pose and day are in it, and somewhere the person. A detector finds the face, and 68 points on it." },
  { key: "embedding", name: "Embedding", part: "", from: ["photograph"], title: "128 numbers", page: "start/who_is_this", chapter: "Who is this?", words: "A recogniser keeps what is the same in all photographs of one person. Blue is above zero, orange below. From here on “the same person” means: near to these numbers." },
  { key: "inversion", name: "Inversion", part: "I", from: ["embedding"], title: "Back from the numbers", page: "inversion/one_pass", chapter: "One pass", words: "A network that was trained on people who do not exist draws a face that has (nearly) these numbers. It is given nothing else: no photograph." },
  { key: "normalized", name: "Normalized", part: "II", from: ["photograph"], title: "The normalized face", page: "normalization/faces_from_features", chapter: "Faces from features", words: "A decoder draws the person from the front, at rest, in even light: landmarks and skin apart, put together by a warp. It is given the recogniser’s last features, before they become 128 numbers." },
  { key: "nfgan", name: "Neutral", part: "III", from: ["photograph"], title: "A neutral face, by a perceptron", page: "nfgan/five_losses", chapter: "Five losses", words: "The same wish, another way: from pixels to pixels through a perceptron, trained with five losses and an adversary." },
  { key: "coarse", name: "Coarse", part: "IV", from: ["photograph"], title: "Coarse geometry", page: "geometry/coarse_geometry", chapter: "Coarse geometry", words: "CoarseNet reads 138 numbers off the photograph: shape, expression, pose. Shown as clay, of which a recogniser of photographs does not know what to think." },
  { key: "fine", name: "Fine", part: "IV", from: ["photograph", "coarse"], title: "Fine geometry", page: "geometry/wrinkles_from_shading", chapter: "Wrinkles from shading", words: "FineNet carves what the shading tells: lids, folds, creases. Tenths of a millimetre, which no linear model has." },
  { key: "texture", name: "Texture", part: "V", from: ["photograph", "fine"], title: "The completed skin", page: "texture/the_missing_half", chapter: "The missing half", words: "A second fit, of shape and light together; what was seen, without that light; what was not seen, invented from the correlations of what was. Drawn in the photograph’s own pose and light, bald." },
  { key: "front", name: "The head", part: "", from: ["photograph"], title: "A head to turn", page: null, chapter: null, words: "" },
];

export const LOOK_WORDS_OF_HEADS = {
  coarse: "CoarseNet’s shape alone, as clay: smooth, and right at large.",
  fine: "CoarseNet’s shape with FineNet’s relief. Move the lamp to one side to see it.",
  textured: "The avatar: part V’s shape held to part IV’s, with its relief, and the skin. Turn it, and look at what the camera did not see.",
};
